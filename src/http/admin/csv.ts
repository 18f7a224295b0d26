/**
 * What makes spreadsheets run a cell instead of showing it, as its first character. Source: OWASP, "CSV Injection".
 */
const FORMULA = /^[=+\-@\t\r]/;
/** What has to stand in quotes. Source: RFC 4180, section 2. */
const SPECIAL = /[",\r\n]/;

/**
 * One line of a table with comma-separated values, its end included. Null is an empty cell. A text that would be
 * taken for a formula gets an apostrophe before it; numbers and decimal amounts stay as they are.
 */
export function csvRow(cells: readonly (string | number | boolean | null | undefined)[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

function csvCell(value: string | number | boolean | null | undefined): string {
  const text = String(value ?? "");
  const shown = typeof value === "string" && FORMULA.test(text) && !isAmount(text) ? `'${text}` : text;
  return SPECIAL.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown;
}

/** A negative amount is a number to a spreadsheet, and no formula. */
function isAmount(text: string): boolean {
  return /^-?\d+(?:\.\d+)?$/.test(text);
}
