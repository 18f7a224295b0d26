/** Headers by their names in lower case. Only cookies, which may come several times, are lists. */
export type HeaderRecord = { readonly [name: string]: string | readonly string[] | undefined };

/** The headers as a record: reading many of them from it costs less than asking for each. */
export function recordOf(headers: Headers): HeaderRecord {
  return headers.toJSON();
}

/** A header's value; null when there is none. */
export function headerOf(headers: HeaderRecord, name: string): string | null {
  const value = headers[name];
  return typeof value === "string" ? value : null;
}
