import { percentiles } from "./percentiles.ts";

/** The middle of several rounds and how far apart they were. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** What a table shows: a figure, a figure over rounds, words, or nothing. */
export type Cell = number | Spread | string | undefined;

/** One column of a table. */
export interface Column {
  readonly name: string;
  /** Behind the figures: "µs", "ms", "MB". */
  readonly unit?: string;
  /** Digits after the point; 0 unless told otherwise. */
  readonly digits?: number;
}

/** Results, as they are printed, stored as JSON, compared and written into the documentation. */
export interface Table {
  /** Stays the same from run to run, so that results can be compared and replaced. */
  readonly id: string;
  readonly title: string;
  readonly columns: readonly Column[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly Cell[] }[];
  /** Sentences below the table. */
  readonly notes: readonly string[];
}

/** Median and range of one figure over the rounds. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: percentiles(values).p50, low: Math.min(...values), high: Math.max(...values) };
}

/** The figure to compare by; undefined for words. */
export function figureOf(cell: Cell): number | undefined {
  if (typeof cell === "number") return cell;
  return typeof cell === "object" ? cell.median : undefined;
}

/** A cell as people read it. */
export function showCell(cell: Cell, { unit = "", digits = 0 }: Column): string {
  if (cell === undefined || cell === null) return "–";
  if (typeof cell === "string") return cell;
  const shown = (value: number): string =>
    Number.isFinite(value)
      ? value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
      : "–";
  const suffix = unit === "" ? "" : ` ${unit}`;
  if (typeof cell === "number") return `${shown(cell)}${suffix}`;
  return `${shown(cell.median)}${suffix} (${shown(cell.low)}–${shown(cell.high)})`;
}

/** A table for the terminal. */
export function asText({ title, columns, rows, notes }: Table): string {
  const lines = [
    ["", ...columns.map(({ name }) => name)],
    ...rows.map(({ name, cells }) => [
      name,
      ...columns.map((column, index) => showCell(cells[index], column)),
    ]),
  ];
  const widths =
    lines[0]?.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0))) ?? [];
  const body = lines.map((line) =>
    line
      .map((text, index) =>
        index === 0 ? text.padEnd(widths[index] ?? 0) : text.padStart(widths[index] ?? 0),
      )
      .join("   ")
      .trimEnd(),
  );
  return [`\n# ${title}`, ...body, ...notes].join("\n");
}

/** The same table in Markdown, with its title as a sentence above. */
export function asMarkdown({ title, columns, rows, notes }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    `**${title}**`,
    "",
    line(["", ...columns.map(({ name }) => name)]),
    line(["---", ...columns.map(() => "---:")]),
    ...rows.map(({ name, cells }) =>
      line([name, ...columns.map((column, index) => showCell(cells[index], column))]),
    ),
    ...notes.flatMap((note) => ["", note]),
  ].join("\n");
}
