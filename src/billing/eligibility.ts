import type { SubscriptionId } from "#domain/ids.ts";
import type { Principal } from "#domain/principal.ts";
import type { Subscription } from "#domain/subscription.ts";
import { isoTime } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";
import { limitFault } from "./limit-fault.ts";
import { balanceLimit, keyLimits, type SpendLimit, subscriptionLimits } from "./spend-limits.ts";

/** What pays for a request. */
export interface Funding {
  /** Undefined: the user's balance. */
  readonly subscriptionId: SubscriptionId | undefined;
}

/** Decides whether a request may be paid for, and by what. Works from memory alone. */
export interface Eligibility {
  /**
   * What pays for a request of this principal at `nowMs`, in milliseconds since the Unix epoch.
   *
   * @throws Fault with the first reason against it, in this order: `auth.user_disabled`, `auth.key_invalid`,
   * `auth.key_disabled`, `auth.key_expired`, `billing.quota_reached`, `billing.window_reached`, then
   * `billing.subscription_missing`, `billing.subscription_inactive`, `billing.subscription_expired` and
   * `billing.subscription_limit` in a group of subscriptions, else `billing.balance_exhausted`.
   */
  check(principal: Principal, nowMs: number): Funding;
}

/** What eligibility is decided by. */
export type EligibilityFacts = Pick<
  Snapshot,
  "user" | "apiKey" | "subscription" | "quotaUsedNanos" | "keyWindow" | "subscriptionWindow"
>;

/** Refuses those who may not call, and those who have nothing left to spend. */
export function billedEligibility(facts: EligibilityFacts): Eligibility {
  return {
    check: (principal, nowMs) => {
      checkCaller(principal, nowMs, facts);
      refuseReached(keyLimits(principal, nowMs, facts), nowMs);
      if (principal.group.subscriptionType !== "subscription") {
        // Where costs are multiplied with 0, nobody needs a balance.
        const isFree = principal.rateMultiplierNanos === 0n;
        if (!isFree) refuseReached([balanceLimit(principal, facts)], nowMs);
        return { subscriptionId: undefined };
      }
      const { userId, group } = principal;
      const subscription = checkedSubscription(facts.subscription(userId, group.id), nowMs);
      refuseReached(subscriptionLimits(subscription, group, nowMs, facts), nowMs);
      return { subscriptionId: subscription.id };
    },
  };
}

/** Refuses those who may not call, and nobody for money, for operators who only meter. */
export function unbilledEligibility(facts: EligibilityFacts): Eligibility {
  return {
    check: (principal, nowMs) => {
      checkCaller(principal, nowMs, facts);
      const { userId, group } = principal;
      if (group.subscriptionType !== "subscription") return { subscriptionId: undefined };
      return { subscriptionId: facts.subscription(userId, group.id)?.id };
    },
  };
}

function checkCaller({ userId, apiKeyId }: Principal, nowMs: number, facts: EligibilityFacts): void {
  if (facts.user(userId)?.status !== "active") throw new Fault("auth.user_disabled");
  const key = facts.apiKey(apiKeyId);
  if (key === undefined) throw new Fault("auth.key_invalid");
  if (key.status !== "active") throw new Fault("auth.key_disabled");
  if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs) throw new Fault("auth.key_expired");
}

function checkedSubscription(subscription: Subscription | undefined, nowMs: number): Subscription {
  if (subscription === undefined) throw new Fault("billing.subscription_missing");
  const { status, startsAtMs, expiresAtMs } = subscription;
  if (status !== "active") throw new Fault("billing.subscription_inactive");
  if (nowMs < startsAtMs) {
    const publicMessage = `The subscription begins at ${isoTime(startsAtMs)}`;
    throw new Fault("billing.subscription_inactive", { publicMessage });
  }
  if (expiresAtMs <= nowMs) {
    const publicMessage = `The subscription expired at ${isoTime(expiresAtMs)}`;
    throw new Fault("billing.subscription_expired", { publicMessage });
  }
  return subscription;
}

/** One rule for every limit: it is reached when as much is used as it allows. */
function refuseReached(limits: readonly SpendLimit[], nowMs: number): void {
  for (const limit of limits) if (limit.usedNanos >= limit.limitNanos) throw limitFault(limit, nowMs);
}
