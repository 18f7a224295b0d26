import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { readMigrationFiles } from "drizzle-orm/migrator";
import { type Database, openPostgres } from "./engines/postgres.ts";
import { sqlStateOf } from "./server-error.ts";

/** Longest a node waits for another one that is migrating, in milliseconds. */
const LOCK_WAIT_MS_MAX = 60_000;

/** Longest one statement of a migration may run, in milliseconds. */
const STATEMENT_MS_MAX = 600_000;

/** Any number that nothing else in the database locks: "sluice" as ASCII. */
const MIGRATION_LOCK = 0x73_6c_75_69_63_65;

const MIGRATIONS_DIR = fileURLToPath(new URL("../../drizzle", import.meta.url));

/** SQLSTATE `lock_not_available`. Source: PostgreSQL documentation, "Error Codes". */
const LOCK_NOT_AVAILABLE = "55P03";

/**
 * Brings the database at `url` to the schema of this version. Does nothing when it is there already.
 *
 * Everything happens in one transaction that holds an advisory lock, so any number of nodes may start at
 * once, a failed migration leaves no trace, and transaction-mode poolers are no obstacle. What has run is
 * kept in drizzle's own table, so `drizzle-kit` sees the same state.
 *
 * @throws Error when another node has been migrating for longer than a minute, or a migration fails.
 */
export async function migrate(url: string): Promise<void> {
  const { db, close } = openPostgres(url, { connectionsMax: 1, statementMsMax: STATEMENT_MS_MAX });
  try {
    await db.transaction(async (transaction) => await migrateLocked(transaction));
  } catch (cause) {
    if (sqlStateOf(cause) !== LOCK_NOT_AVAILABLE) throw cause;
    throw new Error(
      `The database is being migrated by another process, which has not finished within ${LOCK_WAIT_MS_MAX / 1000} s.`,
      { cause },
    );
  } finally {
    await close();
  }
}

async function migrateLocked(db: Pick<Database, "execute">): Promise<void> {
  await db.execute(sql`select set_config('lock_timeout', ${`${LOCK_WAIT_MS_MAX}`}, true)`);
  await db.execute(sql`select pg_advisory_xact_lock(${MIGRATION_LOCK}::bigint)`);
  await db.execute(sql`create schema if not exists drizzle`);
  await db.execute(sql`
    create table if not exists drizzle.__drizzle_migrations
      (id serial primary key, hash text not null, created_at bigint)`);
  const [newest] = await db.execute<{ at: string | null }>(
    sql`select max(created_at) as at from drizzle.__drizzle_migrations`,
  );
  const newestAtMs = Number(newest?.at ?? 0);
  const files = readMigrationFiles({ migrationsFolder: MIGRATIONS_DIR });
  for (const { sql: statements, hash, folderMillis } of files) {
    if (folderMillis <= newestAtMs) continue;
    for (const statement of statements) await db.execute(sql.raw(statement));
    await db.execute(
      sql`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${folderMillis})`,
    );
  }
}
