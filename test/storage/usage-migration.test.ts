import { afterAll, beforeAll, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { sql } from "drizzle-orm";
import { readMigrationFiles } from "drizzle-orm/migrator";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import { openPostgres } from "#storage/engines/postgres.ts";
import { migrate } from "#storage/migrate.ts";
import { SLICES } from "#storage/repositories/usage-slices.ts";
import { openStorage } from "#storage/storage.ts";
import { freshEmbeddedDatabase, freshPostgresDatabase, type TestServer } from "#support/servers.ts";
import { recordOf } from "./records.ts";

const START_MS_MAX = 60_000;
const MIGRATIONS_DIR = fileURLToPath(new URL("../../drizzle", import.meta.url));
/** How many migrations there were while usage was one table. */
const EARLIER = 3;
/** Records outlive whom they name, so these need not exist. */
const cast = {
  userId: 1 as UserId,
  apiKeyId: 2 as ApiKeyId,
  groupId: 3 as GroupId,
  accountId: 4 as AccountId,
};

let server: TestServer;

beforeAll(async () => {
  const hasServer = process.env["TEST_DATABASE_URL"] !== undefined;
  server = await (hasServer ? freshPostgresDatabase() : freshEmbeddedDatabase());
}, START_MS_MAX);

afterAll(async () => await server?.close(), START_MS_MAX);

test(
  "usage that was booked into one table is in its month, added up, and booked no second time",
  async () => {
    const direct = openPostgres(server.url, { connectionsMax: 1, statementMsMax: 10_000 });
    await migrateEarlier(direct.db);
    const storage = openStorage(server.url, { connectionsMax: 1 });
    const at = (createdAtMs: number, costNanos: bigint | undefined): UsageRecord =>
      recordOf(cast, { createdAtMs, costNanos, accountCostNanos: 2n });
    const records = [
      at(Date.UTC(2026, 0, 31, 23, 59, 59, 999), 3n),
      at(Date.UTC(2026, 1, 1), 4n),
      { ...at(Date.UTC(2026, 1, 1), undefined), accountId: undefined, status: "failed" } as const,
    ];
    for (const record of records) await insertEarlier(direct.db, record);

    await migrate(server.url);

    const { rows } = await storage.usage.list({ userId: cast.userId }, { limit: 10 });
    expect(rows.map(({ requestId }) => requestId).sort()).toEqual(records.map((one) => one.requestId).sort());
    const attempts = await storage.usage.attempts((records[0] as UsageRecord).requestId);
    expect(attempts.map(({ createdAtMs }) => createdAtMs)).toEqual([Date.UTC(2026, 0, 31, 23, 59, 59, 999)]);
    const sums = await direct.db.execute<Record<string, unknown>>(sql`
    select slice, sum(requests)::text as requests, sum(errors)::text as errors, sum(cost_nanos)::text as cost,
      sum(account_cost_nanos)::text as account, count(distinct day)::text as days
    from usage_daily group by slice order by slice`);
    const months = ["key_month", "key_model_month", "key_account_month", "full_month"];
    expect(sums.map(({ slice }) => String(slice)).sort()).toEqual([...Object.keys(SLICES), ...months].sort());
    for (const { slice, ...sum } of sums) {
      expect(sum).toEqual({ requests: "3", errors: "1", cost: "7", account: "6", days: "2" });
    }
    const again = await storage.usage.book([...records, at(Date.UTC(2026, 1, 2), 1n)].map(usageLine));
    expect([again.inserted, again.conflicts]).toEqual([1, 0]);
    const newest = (await storage.usage.list({ userId: cast.userId }, { limit: 1 })).rows[0];
    expect(newest?.id).toBeGreaterThan(Math.max(...rows.map(({ id }) => id)));
    await storage.close();
    await direct.close();
  },
  START_MS_MAX,
);

type Direct = ReturnType<typeof openPostgres>["db"];

async function migrateEarlier(db: Direct): Promise<void> {
  await db.execute(sql`create schema drizzle`);
  await db.execute(sql`
    create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`);
  const files = readMigrationFiles({ migrationsFolder: MIGRATIONS_DIR }).slice(0, EARLIER);
  for (const { sql: statements, hash, folderMillis } of files) {
    for (const statement of statements) await db.execute(sql.raw(statement));
    await db.execute(
      sql`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${folderMillis})`,
    );
  }
}

async function insertEarlier(db: Direct, record: UsageRecord): Promise<void> {
  const line = usageLine(record);
  await db.execute(sql`
    insert into usage
    select (jsonb_populate_record(null::usage, ${line}::text::jsonb || jsonb_build_object(
      'id', nextval('usage_id_seq'), 'created_at', to_timestamp(${record.createdAtMs}::bigint / 1000.0)
    ))).*`);
  await db.execute(sql`
    insert into usage_attempts (request_id, number, account_id, started_at, duration_ms, bytes, input_tokens, output_tokens, billed, reason)
    values (${record.requestId}, 1, 1, now(), 1, 1, 1, 1, 'yes', 'completed')`);
}
