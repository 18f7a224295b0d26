import { type SQL, sql } from "drizzle-orm";
import type { UserId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { apiKeys } from "#storage/schema/api-keys.ts";
import { usage } from "#storage/schema/usage.ts";
import { users } from "#storage/schema/users.ts";

/** What a booking changed. */
export interface Booking {
  /** How many of the records were not on file before. */
  readonly inserted: number;
  /** Balances after the booking, of the users it charged. */
  readonly balances: readonly { readonly userId: UserId; readonly balanceNanos: bigint }[];
}

/** The builder inside the transaction that makes a booking one act. */
type Transaction = Pick<Database, "execute">;

/** Columns of a record, with their types, named as in `src/domain/usage-line.ts`. */
const COLUMNS = {
  request_id: "text",
  user_id: "bigint",
  api_key_id: "bigint",
  group_id: "bigint",
  account_id: "bigint",
  model: "text",
  upstream_model: "text",
  upstream_request_id: "text",
  input_tokens: "bigint",
  output_tokens: "bigint",
  cache_creation_tokens: "bigint",
  cache_creation_5m_tokens: "bigint",
  cache_creation_1h_tokens: "bigint",
  cache_read_tokens: "bigint",
  cost_nanos: "bigint",
  status: "text",
  http_status: "integer",
  stream: "boolean",
  usage_complete: "boolean",
  duration_ms: "integer",
  first_token_ms: "integer",
  attempts: "integer",
} as const;

const NAMES = Object.keys(COLUMNS).join(", ");
const TYPED = Object.entries(COLUMNS)
  .map(([name, type]) => `${name} ${type}`)
  .join(", ");
const NAME_LIST: SQL = sql.raw(NAMES);
const TYPED_LIST: SQL = sql.raw(`${TYPED}, created_at_ms bigint`);

/**
 * Puts records on file and charges for those that were not there before. The records are lines of JSON, which
 * the database takes apart: a thousand of them are one parameter and cost this process nothing.
 *
 * Rows are always locked in the same order (users, then keys, each by id), so two bookings at the same time
 * wait for each other and never form a deadlock.
 */
export async function bookUsage(db: Transaction, lines: readonly string[]): Promise<Booking> {
  const records = sql`(${`[${lines.join(",")}]`}::text)::json`;
  await lockInOrder(db, { table: users, column: sql`user_id` }, records);
  await lockInOrder(db, { table: apiKeys, column: sql`api_key_id` }, records);
  const [row] = await db.execute<{
    inserted: number;
    balances: readonly { id: number; nanos: string }[];
  }>(sql`
    with inserted as (
      insert into ${usage} (${NAME_LIST}, created_at)
      select ${NAME_LIST}, to_timestamp(created_at_ms / 1000.0)
      from json_to_recordset(${records}) as given (${TYPED_LIST})
      order by request_id
      on conflict (request_id) do nothing
      returning user_id, api_key_id, cost_nanos, created_at
    ), charged as (
      update ${users} set balance_nanos = balance_nanos - charge.cost
      from (
        select user_id, sum(cost_nanos)::bigint as cost from inserted where cost_nanos <> 0 group by user_id
      ) charge
      where id = charge.user_id
      returning id, balance_nanos::text as nanos
    ), used as (
      update ${apiKeys} set
        quota_used_nanos = quota_used_nanos + use.cost,
        last_used_at = greatest(last_used_at, use.at)
      from (
        select api_key_id, coalesce(sum(cost_nanos), 0)::bigint as cost, max(created_at) as at
        from inserted group by api_key_id
      ) use
      where id = use.api_key_id
    )
    select
      (select count(*)::int from inserted) as inserted,
      (select coalesce(json_agg(charged), '[]') from charged) as balances`);
  const balances = (row?.balances ?? []).map(({ id, nanos }) => ({
    userId: id as UserId,
    balanceNanos: BigInt(nanos),
  }));
  return { inserted: row?.inserted ?? 0, balances };
}

/** Locks the rows that the records name, by ascending id, before an update that would take them in any order. */
async function lockInOrder(
  db: Transaction,
  { table, column }: { readonly table: typeof users | typeof apiKeys; readonly column: SQL },
  records: SQL,
): Promise<void> {
  await db.execute(sql`
    select 1 from ${table}
    where id in (select ${column} from json_to_recordset(${records}) as given (user_id bigint, api_key_id bigint))
    order by id for no key update`);
}
