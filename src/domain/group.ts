import type { AccountId, GroupId } from "./ids.ts";
import type { Platform } from "./platform.ts";
import type { SubscriptionSpan } from "./spend-window.ts";

/** Whether a group's users pay from their balance or from a subscription. */
export const SUBSCRIPTION_TYPES = ["standard", "subscription"] as const;
export type SubscriptionType = (typeof SUBSCRIPTION_TYPES)[number];

/** A pool of accounts that keys draw from, as the request path sees it. */
export interface Group {
  readonly id: GroupId;
  readonly name: string;
  readonly platform: Platform;
  readonly status: "active" | "disabled";
  /** Parts per billion: 1_000_000_000n is 1.0. For users who have none of their own in this group. */
  readonly rateMultiplierNanos: bigint;
  readonly subscriptionType: SubscriptionType;
  /** What a subscription may cost within each window, in nano-dollars; undefined: as much as it likes. */
  readonly windowLimits: Readonly<Record<SubscriptionSpan, bigint | undefined>>;
  readonly claudeCodeOnly: boolean;
  /** Serves those that may not use this group, where it is for Claude Code only. */
  readonly fallbackGroupId: GroupId | undefined;
  /** Serves requests that this group's accounts refuse as too long. */
  readonly fallbackGroupIdOnInvalidRequest: GroupId | undefined;
  /** Model, or a pattern ending in `*`, to the accounts that serve it first. */
  readonly modelRouting: Readonly<Record<string, readonly AccountId[]>> | undefined;
}
