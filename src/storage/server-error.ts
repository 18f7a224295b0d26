/** The parts of a server's error report that tell outcomes apart. */
export interface ServerError {
  readonly code: string;
  readonly detail?: string;
  readonly table_name?: string;
}

/** The database server's own report inside a thrown error, which the query builder wraps as its cause. */
export function serverErrorOf(thrown: unknown): ServerError | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const inner: unknown = thrown.cause ?? thrown;
  return isServerError(inner) ? inner : undefined;
}

/** The SQLSTATE of a thrown database error, such as `23505`; undefined for everything else. */
export function sqlStateOf(thrown: unknown): string | undefined {
  return serverErrorOf(thrown)?.code;
}

/**
 * Whether the server refused what it was given (SQLSTATE classes 22 "data exception", 23 "integrity
 * constraint violation" and 54 "program limit exceeded"), so that offering the same again is of no use.
 */
export function isDataRefused(thrown: unknown): boolean {
  return /^(22|23|54)/.test(sqlStateOf(thrown) ?? "");
}

function isServerError(value: unknown): value is ServerError {
  return value instanceof Error && "code" in value && typeof value.code === "string";
}
