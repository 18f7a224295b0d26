import type { Problem } from "#http/problem.ts";
import { pathOf } from "#http/request-path.ts";
import { Fault } from "#kernel/fault.ts";
import type { Log } from "#kernel/log.ts";
import { sqlStateOf } from "#storage/server-error.ts";

/** SQLSTATE class 22, "data exception". Source: PostgreSQL documentation, "Error Codes". */
const DATA_EXCEPTION = /^22/;

/**
 * Codes of a database that is away or overwhelmed: SQLSTATE classes 08 "connection exception", 53
 * "insufficient resources" and 57 "operator intervention" (a statement's time limit included); the names
 * of system errors (`ECONNREFUSED`); and the driver's own (`CONNECTION_CLOSED`, `CONNECT_TIMEOUT`).
 */
const OUTAGE = /^(?:(?:08|53|57)\w{3}$|E[A-Z_]{4,}$|CONNECT)/;

/** What to answer when an admin operation throws. What is our own failure is logged, and tells the client nothing. */
export function problemOf(thrown: unknown, { method, url }: Request, log: Log): Problem {
  if (thrown instanceof Fault && thrown.source === "client") {
    const kind = thrown.status === 413 ? "body-too-large" : "invalid-request";
    return { kind, detail: thrown.publicMessage };
  }
  const code = sqlStateOf(thrown) ?? "";
  if (DATA_EXCEPTION.test(code)) {
    return { kind: "unprocessable", detail: "A value is beyond what can be stored" };
  }
  const { message: reason, stack } = rootOf(thrown);
  log.error("admin.failed", { method, path: pathOf(url), reason, stack });
  return { kind: OUTAGE.test(code) ? "unavailable" : "internal" };
}

/** The query builder wraps the database's error in one that repeats the statement and its values, which are not to be logged. */
function rootOf(thrown: unknown): Error {
  if (!(thrown instanceof Error)) return new Error(String(thrown));
  return thrown.cause instanceof Error ? thrown.cause : thrown;
}
