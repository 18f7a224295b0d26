import { sql } from "drizzle-orm";
import type { Booked } from "#domain/booked.ts";
import type { AccountId, ApiKeyId, SubscriptionId, UserId } from "#domain/ids.ts";
import { QUARTER_MS } from "#domain/quarter-spend.ts";
import { KEY_SPANS, SUBSCRIPTION_SPANS } from "#domain/spend-window.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { accountSpend } from "#storage/schema/account-spend.ts";
import { apiKeys } from "#storage/schema/api-keys.ts";
import { subscriptions } from "#storage/schema/subscriptions.ts";
import { usage } from "#storage/schema/usage.ts";
import { usageAttempts } from "#storage/schema/usage-attempts.ts";
import { usageRequests } from "#storage/schema/usage-requests.ts";
import { users } from "#storage/schema/users.ts";
import {
  FOLDED_WINDOWS,
  type WindowAnswer,
  windowAssignments,
  windowColumns,
  windowOf,
} from "./spend-windows.ts";
import { ATTEMPT_LINE_COLUMNS, ATTEMPT_NAMES, LINE_COLUMNS, USAGE_NAMES } from "./usage-columns.ts";
import { ROLLED } from "./usage-slices.ts";

/** What the statement did. */
export interface BookedRecords extends Booked {
  /** How many of the records were not on file before. */
  readonly inserted: number;
}

const QUARTER_SECONDS = sql.raw(String(QUARTER_MS / 1_000));

/** The one row that the statement answers with. */
interface Answer extends Record<string, unknown> {
  readonly inserted: number;
  readonly balances: readonly AmountAnswer[];
  readonly quotas: readonly AmountAnswer[];
  readonly subscriptions: readonly { readonly id: number; readonly revision: number }[];
  readonly windows: readonly WindowAnswer[];
  readonly spends: readonly { readonly id: number; readonly ms: number; readonly nanos: number }[];
}

interface AmountAnswer {
  readonly id: number;
  readonly nanos: string;
  readonly revision: number;
}

const GIVEN = (lines: readonly string[]) => sql`
  offered as materialized (
    select *
    from rows from (json_to_recordset((${`[${lines.join(",")}]`}::text)::json) as (${LINE_COLUMNS}))
      with ordinality as line
  ), given as materialized (
    select distinct on (request_id) * from offered order by request_id, ordinality
  )`;

/**
 * Rows are locked in this order, each kind by its key, before anything is written. They are read as they are once
 * their lock is held, and so those that the booking does not change are then as they are after it.
 */
const LOCKED = sql`
  locked_users as materialized (
    select id, balance_nanos, revision from ${users}
    where id in (select user_id from offered) order by id for no key update
  ), locked_keys as materialized (
    select id, quota_used_nanos, revision, ${windowColumns(KEY_SPANS)} from ${apiKeys}
    where id in (select api_key_id from offered) and (select count(*) from locked_users) >= 0
    order by id for no key update
  ), locked_subscriptions as materialized (
    select id, revision, ${windowColumns(SUBSCRIPTION_SPANS)} from ${subscriptions}
    where id in (select subscription_id from offered) and (select count(*) from locked_keys) >= 0
    order by id for no key update
  )`;

const FILED = sql`
  claimed as (
    insert into ${usageRequests} (request_id, created_at)
    select request_id, to_timestamp(created_at_ms / 1000.0) from given
    where (select count(*) from locked_subscriptions) >= 0
    order by request_id
    on conflict (request_id) do nothing
    returning request_id
  ), inserted as (
    insert into ${usage} (${USAGE_NAMES}, created_at)
    select ${USAGE_NAMES}, to_timestamp(created_at_ms / 1000.0) from given join claimed using (request_id)
    returning ${USAGE_NAMES}, created_at
  ), tried as (
    insert into ${usageAttempts} (request_id, created_at, started_at, ${ATTEMPT_NAMES})
    select request_id, to_timestamp(created_at_ms / 1000.0), to_timestamp(attempt.started_at_ms / 1000.0), ${ATTEMPT_NAMES}
    from (select request_id, created_at_ms, attempts_detail from claimed join given using (request_id)) filed
    cross join lateral json_to_recordset(attempts_detail) as attempt (${ATTEMPT_LINE_COLUMNS})
    on conflict do nothing
  )`;

const CHARGED = sql`
  charged as (
    update ${users} set balance_nanos = balance_nanos - charge.cost, revision = revision + 1
    from (
      select user_id, sum(cost_nanos)::bigint as cost
      from inserted where cost_nanos <> 0 and subscription_id is null group by user_id
    ) charge
    where id = charge.user_id
    returning id, balance_nanos, revision
  ), key_use as materialized (
    select *
    from (
      select api_key_id as id, coalesce(sum(cost_nanos), 0)::bigint as cost, max(created_at) as at
      from inserted group by api_key_id
    ) uses
    left join key_windows using (id)
  ), used_keys as (
    update ${apiKeys} as held set
      quota_used_nanos = quota_used_nanos + key_use.cost,
      last_used_at = greatest(last_used_at, key_use.at),
      revision = revision + 1,
      ${windowAssignments(KEY_SPANS, "key_use")}
    from key_use
    where held.id = key_use.id
    returning held.id, quota_used_nanos, revision
  ), used_subscriptions as (
    update ${subscriptions} as held set
      revision = revision + 1,
      ${windowAssignments(SUBSCRIPTION_SPANS, "subscription_windows")}
    from subscription_windows
    where held.id = subscription_windows.id
    returning held.id, revision
  ), spent as (
    insert into ${accountSpend} as kept (account_id, quarter, cost_nanos)
    select
      account_id,
      to_timestamp(floor(extract(epoch from created_at) / ${QUARTER_SECONDS}) * ${QUARTER_SECONDS}),
      sum(coalesce(account_cost_nanos, cost_nanos))::bigint
    from inserted where account_id is not null and coalesce(account_cost_nanos, cost_nanos) > 0
    group by 1, 2 order by 1, 2
    on conflict (account_id, quarter) do update set cost_nanos = kept.cost_nanos + excluded.cost_nanos
    returning account_id as id, (extract(epoch from quarter) * 1000)::bigint as ms, cost_nanos as nanos
  )`;

/** How everything that is named is after the booking. */
const STANDING = sql`
  standing_users as (
    select id, coalesce(charged.balance_nanos, locked.balance_nanos)::text as nanos,
      coalesce(charged.revision, locked.revision) as revision
    from locked_users locked left join charged using (id)
  ), standing_keys as (
    select id, coalesce(used.quota_used_nanos, locked.quota_used_nanos)::text as nanos,
      coalesce(used.revision, locked.revision) as revision
    from locked_keys locked left join used_keys used using (id)
  ), standing_subscriptions as (
    select id, coalesce(used.revision, locked.revision) as revision
    from locked_subscriptions locked left join used_subscriptions used using (id)
  ), standing_windows as (
    select
      kind, id, span, coalesce(windows.ms, start_ms) as ms,
      coalesce(windows.nanos, used_nanos)::text as nanos, revision
    from held
    left join windows using (kind, id, span)
    join (
      select 'key' as kind, id, revision from standing_keys
      union all
      select 'subscription', id, revision from standing_subscriptions
    ) holders using (kind, id)
    where coalesce(windows.ms, start_ms) is not null
  )`;

/**
 * Puts records on file and charges for those that were not there before: the users or their subscriptions, the
 * keys, and the accounts that served them; and adds them up by day. It is one statement, and with that one transaction and one round
 * trip. The records are lines of JSON, which the database takes apart: a thousand of them are one parameter and
 * cost this process nothing. Of two records of one request the first is taken.
 *
 * Rows are always locked in the same order (users, keys, subscriptions, requests, quarters of accounts, days,
 * each by its key), so two bookings at the same time wait for each other and never form a deadlock. An update that
 * finds its row changed since the statement began is made again on the row as it is then.
 *
 * @throws Error with SQLSTATE 23514 when the month of a record has no partition.
 */
export async function bookUsage(
  db: Pick<Database, "execute">,
  lines: readonly string[],
): Promise<BookedRecords> {
  const [row] = await db.execute<Answer>(sql`
    with recursive ${GIVEN(lines)}, ${LOCKED}, ${FILED}, ${FOLDED_WINDOWS}, ${CHARGED}, ${ROLLED}, ${STANDING}
    select
      (select count(*)::int from inserted) as inserted,
      (select coalesce(json_agg(standing_users), '[]') from standing_users) as balances,
      (select coalesce(json_agg(standing_keys), '[]') from standing_keys) as quotas,
      (select coalesce(json_agg(standing_subscriptions), '[]') from standing_subscriptions) as subscriptions,
      (select coalesce(json_agg(standing_windows), '[]') from standing_windows) as windows,
      (select coalesce(json_agg(spent), '[]') from spent) as spends`);
  return bookedOf(row);
}

function bookedOf(row: Answer | undefined): BookedRecords {
  return {
    inserted: row?.inserted ?? 0,
    balances: (row?.balances ?? []).map(({ id, nanos, revision }) => ({
      userId: id as UserId,
      balanceNanos: BigInt(nanos),
      revision,
    })),
    quotas: (row?.quotas ?? []).map(({ id, nanos, revision }) => ({
      apiKeyId: id as ApiKeyId,
      usedNanos: BigInt(nanos),
      revision,
    })),
    subscriptions: (row?.subscriptions ?? []).map(({ id, revision }) => ({
      subscriptionId: id as SubscriptionId,
      revision,
    })),
    windows: (row?.windows ?? []).map(windowOf),
    spends: (row?.spends ?? []).map(({ id, ms, nanos }) => ({
      accountId: id as AccountId,
      quarterMs: ms,
      costNanos: nanos,
    })),
  };
}
