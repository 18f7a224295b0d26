import type { Group } from "#domain/group.ts";
import type { Principal } from "#domain/principal.ts";
import {
  KEY_SPANS,
  type SpendWindow,
  SUBSCRIPTION_SPANS,
  type WindowHolder,
  type WindowSpan,
  windowEndMs,
  windowUsedNanos,
} from "#domain/spend-window.ts";
import type { Subscription } from "#domain/subscription.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";

/**
 * Something that bounds what may still be spent, in nano-dollars, as far as costs are booked. It is reached when as
 * much is used as it allows.
 */
export type SpendLimit = { readonly limitNanos: bigint; readonly usedNanos: bigint } & (
  | { readonly kind: "quota" }
  | { readonly kind: "balance" }
  | {
      readonly kind: "window";
      readonly holder: WindowHolder;
      readonly span: WindowSpan;
      /** Milliseconds since the Unix epoch; undefined while no window is running. */
      readonly endsAtMs: number | undefined;
    }
);

/** Most keys and subscriptions have none. */
const NO_LIMITS: readonly SpendLimit[] = [];

/** What an API key may cost in all and within its windows, in the order in which it is checked. */
export function keyLimits(
  { apiKeyId }: Pick<Principal, "apiKeyId">,
  nowMs: number,
  facts: Pick<Snapshot, "apiKey" | "quotaUsedNanos" | "keyWindow">,
): readonly SpendLimit[] {
  const key = facts.apiKey(apiKeyId);
  if (key === undefined) return [];
  const { quotaNanos, windowLimits } = key;
  const windows = hasLimit(KEY_SPANS, windowLimits)
    ? KEY_SPANS.flatMap((span) => {
        const window = facts.keyWindow(apiKeyId, span);
        return windowLimit({ holder: "key", span, limitNanos: windowLimits[span], window, nowMs });
      })
    : NO_LIMITS;
  if (quotaNanos === undefined) return windows;
  return [{ kind: "quota", limitNanos: quotaNanos, usedNanos: facts.quotaUsedNanos(apiKeyId) }, ...windows];
}

/** What a subscription may cost within its windows, in the order in which it is checked. */
export function subscriptionLimits(
  { id }: Pick<Subscription, "id">,
  { windowLimits }: Pick<Group, "windowLimits">,
  nowMs: number,
  facts: Pick<Snapshot, "subscriptionWindow">,
): readonly SpendLimit[] {
  if (!hasLimit(SUBSCRIPTION_SPANS, windowLimits)) return NO_LIMITS;
  return SUBSCRIPTION_SPANS.flatMap((span) => {
    const window = facts.subscriptionWindow(id, span);
    return windowLimit({ holder: "subscription", span, limitNanos: windowLimits[span], window, nowMs });
  });
}

/** What a user may spend without a subscription: the balance, from which everything booked is taken already. */
export function balanceLimit(
  { userId }: Pick<Principal, "userId">,
  facts: Pick<Snapshot, "user">,
): SpendLimit {
  return { kind: "balance", limitNanos: facts.user(userId)?.balanceNanos ?? 0n, usedNanos: 0n };
}

function hasLimit<Span extends WindowSpan>(
  spans: readonly Span[],
  limits: Readonly<Partial<Record<Span, bigint | undefined>>>,
): boolean {
  for (const span of spans) if (limits[span] !== undefined) return true;
  return false;
}

interface WindowFacts {
  readonly holder: WindowHolder;
  readonly span: WindowSpan;
  readonly limitNanos: bigint | undefined;
  readonly window: SpendWindow | undefined;
  readonly nowMs: number;
}

function windowLimit({ holder, span, limitNanos, window, nowMs }: WindowFacts): readonly SpendLimit[] {
  if (limitNanos === undefined) return [];
  const usedNanos = windowUsedNanos(window, span, nowMs);
  const endsAtMs = windowEndMs(window, span, nowMs);
  return [{ kind: "window", holder, span, limitNanos, usedNanos, endsAtMs }];
}
