import type { ApiKeyId, SubscriptionId, UserId } from "./ids.ts";
import type { QuarterSpend } from "./quarter-spend.ts";
import type { KeySpan, SpendWindow, SubscriptionSpan } from "./spend-window.ts";

/** Grows with every change of what it belongs to, so that news which arrives late is known to be old. */
interface Revised {
  readonly revision: number;
}

/** A user's balance. */
interface BookedBalance extends Revised {
  readonly userId: UserId;
  readonly balanceNanos: bigint;
}

/** What an API key has cost in all. */
export interface BookedQuota extends Revised {
  readonly apiKeyId: ApiKeyId;
  readonly usedNanos: bigint;
}

/** One window of an API key or of a subscription; its revision is that of its holder. */
export type BookedWindow = Revised &
  SpendWindow &
  (
    | { readonly kind: "key"; readonly id: ApiKeyId; readonly span: KeySpan }
    | { readonly kind: "subscription"; readonly id: SubscriptionId; readonly span: SubscriptionSpan }
  );

/** A subscription, whose amounts are its windows. */
interface BookedSubscription extends Revised {
  readonly subscriptionId: SubscriptionId;
}

/**
 * How things are after a booking, so that hearing twice is hearing once: of every user, API key and subscription
 * that a record names, whether the record was booked now, had been booked before, or is in conflict with another.
 * Those that were deleted are left out.
 */
export interface Booked {
  readonly balances: readonly BookedBalance[];
  readonly quotas: readonly BookedQuota[];
  readonly subscriptions: readonly BookedSubscription[];
  /** Every window that has begun, ended or not. */
  readonly windows: readonly BookedWindow[];
  /** Only of quarters that the booking changed. */
  readonly spends: readonly QuarterSpend[];
}
