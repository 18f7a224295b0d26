import { type OpenPool, openPostgres, type PoolLimits } from "./engines/postgres.ts";

/** An open database: the query builder and how to end it. */
export type OpenDatabase = OpenPool;

/** Longest a statement of the gateway may run, in milliseconds. A booking of thousands of rows takes tens. */
const STATEMENT_MS_MAX = 10_000;

/** Opens the database at `url` for one thread, with at most `connectionsMax` connections. Connects on first use. */
export function openDatabase(url: string, limits: Omit<PoolLimits, "statementMsMax">): OpenDatabase {
  return openPostgres(url, { ...limits, statementMsMax: STATEMENT_MS_MAX });
}
