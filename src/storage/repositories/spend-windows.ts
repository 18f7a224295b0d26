import { type SQL, sql } from "drizzle-orm";
import type { BookedWindow } from "#domain/booked.ts";
import type { ApiKeyId, SubscriptionId } from "#domain/ids.ts";
import { KEY_SPANS, SPAN_MS, SUBSCRIPTION_SPANS, type WindowSpan } from "#domain/spend-window.ts";

/** A window as the statement answers with it. */
export interface WindowAnswer {
  readonly kind: BookedWindow["kind"];
  readonly id: number;
  readonly span: WindowSpan;
  readonly ms: number;
  readonly nanos: string;
  readonly revision: number;
}

/**
 * What records cost their keys and subscriptions, put into windows, as common table expressions of a recursive
 * `with`. They need `inserted` (records with `created_at` and `duration_ms`), and `locked_keys` and
 * `locked_subscriptions`: locked rows are read as they are once their lock is held, so two bookings at the
 * same time add up. They end in `key_windows` and `subscription_windows`, one row per holder with `<span>_ms`
 * and `<span>_nanos`, and in `windows`, one row per window.
 *
 * Costs are taken in the order in which they came due, when their requests ended. Those that are due at or after
 * the end of the window begin the next one; `chain` goes from window to window, and the last one stays. A cost
 * that is booked after one which began a later window counts to that window, so no cost is lost to a limit,
 * unless it was due a whole span before that: then whatever window it was in had certainly ended.
 */
export const FOLDED_WINDOWS: SQL = sql`
  costs as materialized (
    select holder.kind, holder.id, array_agg(due.ms order by due.ms) as due_ms, array_agg(cost_nanos order by due.ms) as nanos
    from inserted
    cross join lateral (
      select (extract(epoch from created_at) * 1000)::bigint + duration_ms as ms
    ) due
    cross join lateral (values ('key', api_key_id), ('subscription', subscription_id)) as holder (kind, id)
    where cost_nanos > 0 and holder.id is not null
    group by holder.kind, holder.id
  ), held as (
    ${heldBy("key", "locked_keys", KEY_SPANS)}
    union all
    ${heldBy("subscription", "locked_subscriptions", SUBSCRIPTION_SPANS)}
  ), chain as (
    select
      kind, id, span, span_ms, due_ms, nanos,
      coalesce(start_ms, due_ms[1]) as start_ms,
      coalesce(start_ms, due_ms[1]) - span_ms + 1 as from_ms,
      used_nanos
    from held join costs using (kind, id)
    union all
    select kind, id, span, span_ms, due_ms, nanos, next.ms, next.ms, 0
    from chain
    cross join lateral (
      select min(ms) as ms from unnest(due_ms) as due (ms) where ms >= start_ms + span_ms
    ) next
    where due_ms[cardinality(due_ms)] >= start_ms + span_ms
  ), windows as materialized (
    select distinct on (kind, id, span)
      kind, id, span, start_ms as ms, (used_nanos + added.nanos)::bigint as nanos
    from chain
    cross join lateral (
      select coalesce(sum(cost), 0) as nanos
      from unnest(due_ms, chain.nanos) as spent (ms, cost) where ms >= from_ms
    ) added
    order by kind, id, span, start_ms desc
  ), key_windows as materialized (
    ${columnsOf("key", KEY_SPANS)}
  ), subscription_windows as materialized (
    ${columnsOf("subscription", SUBSCRIPTION_SPANS)}
  )`;

/** The assignments that take the windows of `source` over into a holder's row, known as `held`. */
export function windowAssignments(spans: readonly WindowSpan[], source: string): SQL {
  const assignments = spans.flatMap((span) => {
    const [start, used] = [`window_${span}_started_at`, `window_${span}_used_nanos`];
    return [
      `${start} = coalesce(to_timestamp(${source}."${span}_ms" / 1000.0), held.${start})`,
      `${used} = coalesce(${source}."${span}_nanos", held.${used})`,
    ];
  });
  return sql.raw(assignments.join(", "));
}

/** The columns of a holder's windows. */
export function windowColumns(spans: readonly WindowSpan[]): SQL {
  return sql.raw(
    spans.flatMap((span) => [`window_${span}_started_at`, `window_${span}_used_nanos`]).join(", "),
  );
}

/** A window out of the statement's answer. */
export function windowOf({ kind, id, span, ms, nanos, revision }: WindowAnswer): BookedWindow {
  const window = { startedAtMs: ms, usedNanos: BigInt(nanos), revision };
  // The statement makes no other pairs of holder and span.
  return kind === "key"
    ? { ...window, kind, id: id as ApiKeyId, span: span as (typeof KEY_SPANS)[number] }
    : { ...window, kind, id: id as SubscriptionId, span: span as (typeof SUBSCRIPTION_SPANS)[number] };
}

/** Every window of every locked holder, as it is before the booking. */
function heldBy(kind: BookedWindow["kind"], locked: string, spans: readonly WindowSpan[]): SQL {
  const rows = spans.map(
    (span) =>
      `('${span}', ${SPAN_MS[span]}::bigint, (extract(epoch from window_${span}_started_at) * 1000)::bigint, window_${span}_used_nanos)`,
  );
  return sql.raw(`
    select '${kind}' as kind, id, span, span_ms, start_ms, used_nanos
    from ${locked}
    cross join lateral (values ${rows.join(", ")}) as held_window (span, span_ms, start_ms, used_nanos)`);
}

/** The windows of each holder side by side. */
function columnsOf(kind: BookedWindow["kind"], spans: readonly WindowSpan[]): SQL {
  const columns = spans.flatMap((span) => [
    `max(ms) filter (where span = '${span}') as "${span}_ms"`,
    `max(nanos) filter (where span = '${span}') as "${span}_nanos"`,
  ]);
  return sql.raw(`select id, ${columns.join(", ")} from windows where kind = '${kind}' group by id`);
}
