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

/** How things are after a booking: amounts that it changed, as they are now, so that hearing twice is hearing once. */
export interface Booked {
  readonly balances: readonly BookedBalance[];
  readonly quotas: readonly BookedQuota[];
  readonly windows: readonly BookedWindow[];
  readonly spends: readonly QuarterSpend[];
}
