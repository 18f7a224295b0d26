import type { GroupId, SubscriptionId, UserId } from "./ids.ts";

/** `suspended` pays for nothing for the time being, `cancelled` for good. */
export const SUBSCRIPTION_STATUSES = ["active", "suspended", "cancelled"] as const;
export type SubscriptionStatus = (typeof SUBSCRIPTION_STATUSES)[number];

/** What lets a user spend in a group of subscriptions, as the request path sees it. */
export interface Subscription {
  readonly id: SubscriptionId;
  readonly userId: UserId;
  readonly groupId: GroupId;
  readonly status: SubscriptionStatus;
  /** From then on it pays, in milliseconds since the Unix epoch. */
  readonly startsAtMs: number;
  /** From then on it pays no more, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
}
