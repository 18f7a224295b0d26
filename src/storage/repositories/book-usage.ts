import { getTableColumns, sql } from "drizzle-orm";
import type { ApiKeyId, UserId } from "#domain/ids.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { apiKeys } from "#storage/schema/api-keys.ts";
import { usage } from "#storage/schema/usage.ts";
import { users } from "#storage/schema/users.ts";

/** What a booking changed. */
export interface Booking {
  /** Request ids that were not on record before. */
  readonly inserted: ReadonlySet<string>;
  /** Balances after the booking, of the users it charged. */
  readonly balances: readonly { readonly userId: UserId; readonly balanceNanos: bigint }[];
}

/** What one API key is charged for. */
interface KeyUse {
  costNanos: bigint;
  lastUsedAtMs: number;
}

/** The builder inside the transaction that makes a booking one act. */
type Transaction = Pick<Database, "insert" | "execute">;

/** PostgreSQL numbers parameters with 16 bits and postgres.js accepts 65,534; this leaves room. */
const PARAMETERS_MAX = 60_000;

const ROWS_PER_INSERT_MAX = Math.floor(PARAMETERS_MAX / Object.keys(getTableColumns(usage)).length);

/**
 * Puts records on file and charges for those that were not there before.
 *
 * Rows are always touched in the same order (records by request id, then users and keys by id), so two
 * bookings at the same time wait for each other and never form a deadlock.
 */
export async function bookUsage(db: Transaction, records: readonly UsageRecord[]): Promise<Booking> {
  const byRequestId = new Map(records.map((record) => [record.requestId, record]));
  const ordered = [...byRequestId.keys()].sort().flatMap((id) => byRequestId.get(id) ?? []);
  const inserted = await insertRecords(db, ordered);
  const fresh = ordered.filter(({ requestId }) => inserted.has(requestId));
  const balances = await chargeUsers(db, fresh);
  await chargeApiKeys(db, fresh);
  return { inserted, balances };
}

async function insertRecords(db: Transaction, records: readonly UsageRecord[]): Promise<Set<string>> {
  const inserted = new Set<string>();
  for (let start = 0; start < records.length; start += ROWS_PER_INSERT_MAX) {
    const rows = await db
      .insert(usage)
      .values(records.slice(start, start + ROWS_PER_INSERT_MAX))
      .onConflictDoNothing({ target: usage.requestId })
      .returning({ requestId: usage.requestId });
    for (const { requestId } of rows) inserted.add(requestId);
  }
  return inserted;
}

async function chargeUsers(db: Transaction, records: readonly UsageRecord[]): Promise<Booking["balances"]> {
  const costs = new Map<UserId, bigint>();
  for (const { userId, costNanos = 0n } of records) {
    if (costNanos !== 0n) costs.set(userId, (costs.get(userId) ?? 0n) + costNanos);
  }
  if (costs.size === 0) return [];
  await lockInOrder(db, users, [...costs.keys()]);
  const rows = await db.execute<{ id: string; balance: string }>(sql`
    update ${users} set balance_nanos = balance_nanos - charge.cost
    from unnest(${arrayOf(costs.keys())}::bigint[], ${arrayOf(costs.values())}::bigint[]) as charge (user_id, cost)
    where id = charge.user_id
    returning id, balance_nanos as balance`);
  return rows.map(({ id, balance }) => ({ userId: Number(id) as UserId, balanceNanos: BigInt(balance) }));
}

async function chargeApiKeys(db: Transaction, records: readonly UsageRecord[]): Promise<void> {
  const uses = new Map<ApiKeyId, KeyUse>();
  for (const { apiKeyId, costNanos = 0n, createdAtMs } of records) {
    const use = uses.get(apiKeyId) ?? { costNanos: 0n, lastUsedAtMs: 0 };
    use.costNanos += costNanos;
    use.lastUsedAtMs = Math.max(use.lastUsedAtMs, createdAtMs);
    uses.set(apiKeyId, use);
  }
  if (uses.size === 0) return;
  await lockInOrder(db, apiKeys, [...uses.keys()]);
  const all = [...uses.values()];
  const costs = arrayOf(all.map(({ costNanos }) => costNanos));
  const moments = arrayOf(all.map(({ lastUsedAtMs }) => lastUsedAtMs));
  await db.execute(sql`
    update ${apiKeys} set
      quota_used_nanos = quota_used_nanos + use.cost,
      last_used_at = greatest(last_used_at, to_timestamp(use.at_ms / 1000.0))
    from unnest(${arrayOf(uses.keys())}::bigint[], ${costs}::bigint[], ${moments}::bigint[])
      as use (api_key_id, cost, at_ms)
    where id = use.api_key_id`);
}

/** Locks rows by ascending id before an update that would take them in any order. */
async function lockInOrder(
  db: Transaction,
  table: typeof users | typeof apiKeys,
  ids: readonly (UserId | ApiKeyId)[],
): Promise<void> {
  await db.execute(sql`
    select 1 from ${table} where id = any(${arrayOf(ids)}::bigint[]) order by id for no key update`);
}

/** Numbers as the text of a PostgreSQL array, so that any count of them is one parameter. */
function arrayOf(values: Iterable<number | bigint>): string {
  return `{${[...values].join(",")}}`;
}
