import { sql } from "drizzle-orm";
import type { AccountId, UserId } from "#domain/ids.ts";
import { QUARTER_MS, type QuarterSpend } from "#domain/quarter-spend.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { accountSpend } from "#storage/schema/account-spend.ts";
import { apiKeys } from "#storage/schema/api-keys.ts";
import { usage } from "#storage/schema/usage.ts";
import { users } from "#storage/schema/users.ts";

/** What a booking changed. */
export interface Booking {
  /** How many of the records were not on file before. */
  readonly inserted: number;
  /** Balances after the booking, of the users it charged. */
  readonly balances: readonly { readonly userId: UserId; readonly balanceNanos: bigint }[];
  /** All that is booked for the quarters it added costs to, by account. */
  readonly spends: readonly QuarterSpend[];
}

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

const NAMES = sql.raw(Object.keys(COLUMNS).join(", "));
const TYPED = sql.raw(
  Object.entries({ ...COLUMNS, created_at_ms: "bigint" })
    .map(([name, type]) => `${name} ${type}`)
    .join(", "),
);
const QUARTER_SECONDS = sql.raw(String(QUARTER_MS / 1_000));

/** The one row that the statement answers with. */
interface Answer extends Record<string, unknown> {
  readonly inserted: number;
  readonly balances: readonly { readonly id: number; readonly nanos: string }[];
  readonly spends: readonly { readonly id: number; readonly ms: number; readonly nanos: number }[];
}

/**
 * Puts records on file and charges for those that were not there before: the users, the keys, and the accounts
 * that served them. It is one statement, and with that one transaction and one round trip. The records are
 * lines of JSON, which the database takes apart: a thousand of them are one parameter and cost this process
 * nothing.
 *
 * Rows are always locked in the same order (users, keys, records, quarters of accounts, each by its key), so
 * two bookings at the same time wait for each other and never form a deadlock. An update that finds its row
 * changed since the statement began is made again on the row as it is then.
 */
export async function bookUsage(db: Pick<Database, "execute">, lines: readonly string[]): Promise<Booking> {
  const [row] = await db.execute<Answer>(sql`
    with given as materialized (
      select * from json_to_recordset((${`[${lines.join(",")}]`}::text)::json) as line (${TYPED})
    ), locked_users as materialized (
      select id from ${users} where id in (select user_id from given) order by id for no key update
    ), locked_keys as materialized (
      select id from ${apiKeys}
      where id in (select api_key_id from given) and (select count(*) from locked_users) >= 0
      order by id for no key update
    ), inserted as (
      insert into ${usage} (${NAMES}, created_at)
      select ${NAMES}, to_timestamp(created_at_ms / 1000.0) from given
      where (select count(*) from locked_keys) >= 0
      order by request_id
      on conflict (request_id) do nothing
      returning user_id, api_key_id, account_id, cost_nanos, created_at
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
    ), spent as (
      insert into ${accountSpend} as kept (account_id, quarter, cost_nanos)
      select
        account_id,
        to_timestamp(floor(extract(epoch from created_at) / ${QUARTER_SECONDS}) * ${QUARTER_SECONDS}),
        sum(cost_nanos)::bigint
      from inserted where account_id is not null and cost_nanos > 0
      group by 1, 2 order by 1, 2
      on conflict (account_id, quarter) do update set cost_nanos = kept.cost_nanos + excluded.cost_nanos
      returning account_id as id, (extract(epoch from quarter) * 1000)::bigint as ms, cost_nanos as nanos
    )
    select
      (select count(*)::int from inserted) as inserted,
      (select coalesce(json_agg(charged), '[]') from charged) as balances,
      (select coalesce(json_agg(spent), '[]') from spent) as spends`);
  return bookingOf(row);
}

function bookingOf(row: Answer | undefined): Booking {
  return {
    inserted: row?.inserted ?? 0,
    balances: (row?.balances ?? []).map(({ id, nanos }) => ({
      userId: id as UserId,
      balanceNanos: BigInt(nanos),
    })),
    spends: (row?.spends ?? []).map(({ id, ms, nanos }) => ({
      accountId: id as AccountId,
      quarterMs: ms,
      costNanos: nanos,
    })),
  };
}
