import { drizzle, type PostgresJsDatabase } from "drizzle-orm/postgres-js";
import postgres from "postgres";

/** The query builder over one pool of connections. Does not leave this room. */
export type Database = PostgresJsDatabase;

/** Limits of one pool. */
export interface PoolLimits {
  readonly connectionsMax: number;
  /** What its connections are called at the server, so that operators can tell threads apart; `sluice` by default. */
  readonly name?: string;
  /** Longest a statement may run, waiting for locks included, in milliseconds. */
  readonly statementMsMax: number;
}

const CONNECT_SECONDS_MAX = 5;
const IDLE_SECONDS_MAX = 20;
const LIFETIME_SECONDS_MAX = 1800;
const CLOSE_SECONDS_MAX = 5;

/** A pool and how to end it. */
export interface OpenPool {
  readonly db: Database;
  /** Waits for running statements, 5 s at most, then closes every connection. */
  close(): Promise<void>;
}

/**
 * Opens a pool on a PostgreSQL server, or on anything that speaks its protocol. Connects on first use.
 *
 * Statements are not prepared under a name, so poolers in transaction mode and the embedded database,
 * whose clients share a session, work too. Array types are not looked up: the builder writes arrays as text.
 */
export function openPostgres(
  url: string,
  { connectionsMax, name = "sluice", statementMsMax }: PoolLimits,
): OpenPool {
  const { address, host } = splitSocketHost(url);
  const client = postgres(address, {
    ...(host === undefined ? {} : { host }),
    max: connectionsMax,
    connect_timeout: CONNECT_SECONDS_MAX,
    idle_timeout: IDLE_SECONDS_MAX,
    max_lifetime: LIFETIME_SECONDS_MAX,
    prepare: false,
    fetch_types: false,
    onnotice: () => undefined,
    connection: { application_name: name, statement_timeout: statementMsMax },
  });
  return {
    db: drizzle({ client, casing: "snake_case" }),
    close: () => client.end({ timeout: CLOSE_SECONDS_MAX }),
  };
}

/**
 * Takes `?host=/folder` out of a URL, libpq's way of naming a unix socket, which postgres.js does not read.
 *
 * Source: PostgreSQL documentation, "libpq", "Connection URIs".
 */
function splitSocketHost(url: string): { address: string; host: string | undefined } {
  const parsed = new URL(url);
  const host = parsed.searchParams.get("host") ?? undefined;
  parsed.searchParams.delete("host");
  return { address: parsed.href, host };
}
