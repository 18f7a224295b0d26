import { describe, expect, test } from "bun:test";
import {
  billedEligibility,
  type EligibilityFacts,
  type Funding,
  unbilledEligibility,
} from "#billing/eligibility.ts";
import type { ApiKey } from "#domain/api-key.ts";
import type { Group } from "#domain/group.ts";
import type { ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { Principal } from "#domain/principal.ts";
import { SPAN_MS, type SpendWindow, type WindowSpan } from "#domain/spend-window.ts";
import type { Subscription } from "#domain/subscription.ts";
import type { User } from "#domain/user.ts";
import { Fault } from "#kernel/fault.ts";

const NOW = Date.UTC(2027, 0, 15, 12);
const USD = 1_000_000_000n;
const SUBSCRIPTION: Subscription = {
  id: 4 as SubscriptionId,
  userId: 1 as UserId,
  groupId: 3 as GroupId,
  status: "active",
  startsAtMs: NOW,
  expiresAtMs: NOW + 1,
};

interface World {
  readonly user?: Partial<User>;
  readonly key?: Partial<ApiKey>;
  readonly group?: Partial<Group>;
  readonly rate?: bigint;
  readonly quotaUsed?: bigint;
  readonly keyWindows?: Partial<Record<WindowSpan, SpendWindow>>;
  readonly subscription?: Partial<Subscription>;
  readonly subscriptionWindows?: Partial<Record<WindowSpan, SpendWindow>>;
}

function factsOf(world: World): EligibilityFacts {
  const user = { id: 1, status: "active", balanceNanos: 1n, revision: 0, ...world.user } as unknown as User;
  const key = {
    status: "active",
    expiresAtMs: undefined,
    quotaNanos: undefined,
    windowLimits: {},
    ...world.key,
  } as unknown as ApiKey;
  return {
    user: () => user,
    apiKey: () => key,
    subscription: () => world.subscription && { ...SUBSCRIPTION, ...world.subscription },
    quotaUsedNanos: () => world.quotaUsed ?? 0n,
    keyWindow: (_, span) => world.keyWindows?.[span],
    subscriptionWindow: (_, span) => world.subscriptionWindows?.[span],
  };
}

function check(world: World, eligibility = billedEligibility): Funding | Fault {
  const group = {
    id: 3,
    subscriptionType: "standard",
    windowLimits: {},
    ...world.group,
  } as unknown as Group;
  const principal = {
    userId: 1 as UserId,
    apiKeyId: 2 as ApiKeyId,
    group,
    rateMultiplierNanos: world.rate ?? USD,
  } as Principal;
  try {
    return eligibility(factsOf(world)).check(principal, NOW);
  } catch (thrown) {
    return Fault.from(thrown);
  }
}

const codeOf = (world: World): string | undefined => {
  const outcome = check(world);
  return outcome instanceof Fault ? outcome.code : undefined;
};

const running = (span: WindowSpan, usedNanos: bigint, leftMs: number): SpendWindow => ({
  startedAtMs: NOW - SPAN_MS[span] + leftMs,
  usedNanos,
});

const subscribed = { group: { subscriptionType: "subscription" }, subscription: {} } as const;

describe("who may call", () => {
  test("is asked first, with and without billing", () => {
    const refused: [World, string][] = [
      [{ user: { status: "disabled" } }, "auth.user_disabled"],
      [{ key: { status: "disabled" } }, "auth.key_disabled"],
      [{ key: { expiresAtMs: NOW } }, "auth.key_expired"],
    ];
    for (const [world, code] of refused) {
      for (const eligibility of [billedEligibility, unbilledEligibility]) {
        expect(check({ ...world, quotaUsed: 9n }, eligibility)).toMatchObject({ code });
      }
    }
    expect(check({ key: { expiresAtMs: NOW + 1 } })).toEqual({ subscriptionId: undefined });
  });
});

describe("one rule for every limit: as much used as it allows is reached", () => {
  test("the balance", () => {
    expect(codeOf({ user: { balanceNanos: 1n } })).toBeUndefined();
    expect(codeOf({ user: { balanceNanos: 0n } })).toBe("billing.balance_exhausted");
    expect(codeOf({ user: { balanceNanos: -1n } })).toBe("billing.balance_exhausted");
  });

  test("nobody needs a balance where everything is free", () => {
    expect(codeOf({ user: { balanceNanos: -1n }, rate: 0n })).toBeUndefined();
  });

  test("the key's quota, for good", () => {
    const key = { quotaNanos: 5n * USD };
    expect(codeOf({ key, quotaUsed: 5n * USD - 1n })).toBeUndefined();
    expect(check({ key, quotaUsed: 5n * USD })).toMatchObject({
      code: "billing.quota_reached",
      status: 429,
      retryAfterMs: undefined,
      publicMessage: "The quota of this API key is used up: 5 of 5 USD are used. It does not reset by itself",
    });
  });

  test.each(["5h", "1d", "7d"] as const)("the key's window of %s, until it ends", (span) => {
    const key = { windowLimits: { "5h": undefined, "1d": undefined, "7d": undefined, [span]: 2n * USD } };
    const used = (usedNanos: bigint, leftMs: number) =>
      check({ key, keyWindows: { [span]: running(span, usedNanos, leftMs) } });
    expect(used(2n * USD - 1n, 1)).toEqual({ subscriptionId: undefined });
    expect(used(9n * USD, 0)).toEqual({ subscriptionId: undefined });
    expect(used(2n * USD, 60_000)).toMatchObject({
      code: "billing.window_reached",
      status: 429,
      retryAfterMs: 60_000,
      publicMessage: expect.stringContaining(
        "limit of this API key is reached: 2 of 2 USD are used. It resets at 2027-01-15T12:01:00.000Z",
      ),
    });
  });

  test.each(["1d", "7d", "30d"] as const)("the subscription's window of %s, until it ends", (span) => {
    const windowLimits = { "1d": undefined, "7d": undefined, "30d": undefined, [span]: 3n };
    const group = { ...subscribed.group, windowLimits };
    const used = (usedNanos: bigint, leftMs: number) =>
      check({ ...subscribed, group, subscriptionWindows: { [span]: running(span, usedNanos, leftMs) } });
    expect(used(2n, 1)).toEqual({ subscriptionId: SUBSCRIPTION.id });
    expect(used(9n, 0)).toEqual({ subscriptionId: SUBSCRIPTION.id });
    expect(used(3n, 1)).toMatchObject({
      code: "billing.subscription_limit",
      status: 429,
      retryAfterMs: 1,
    });
  });

  test("a limit of nothing is always reached, and no wait helps", () => {
    const key = { windowLimits: { "5h": 0n, "1d": undefined, "7d": undefined } };
    expect(check({ key })).toMatchObject({ code: "billing.window_reached", retryAfterMs: undefined });
    expect(codeOf({ key: { quotaNanos: 0n } })).toBe("billing.quota_reached");
  });
});

describe("a group of subscriptions", () => {
  test("is paid by the subscription, whatever the balance is", () => {
    expect(check({ ...subscribed, user: { balanceNanos: -5n } })).toEqual({
      subscriptionId: SUBSCRIPTION.id,
    });
  });

  test("is for those whose subscription is there, active, begun and not over", () => {
    const refused: [World, string][] = [
      [{ group: subscribed.group }, "billing.subscription_missing"],
      [{ ...subscribed, subscription: { status: "suspended" } }, "billing.subscription_inactive"],
      [{ ...subscribed, subscription: { startsAtMs: NOW + 1 } }, "billing.subscription_inactive"],
      [{ ...subscribed, subscription: { expiresAtMs: NOW } }, "billing.subscription_expired"],
    ];
    for (const [world, code] of refused) {
      expect(check(world)).toMatchObject({ code, status: 403, retryAfterMs: undefined });
    }
  });

  test("does not lend its subscription to other groups", () => {
    expect(check({ subscription: {} })).toEqual({ subscriptionId: undefined });
  });
});

test("of several reasons the first in order is told: quota, windows from short to long, what pays", () => {
  const key = { quotaNanos: 1n, windowLimits: { "5h": 1n, "1d": 1n, "7d": 1n } };
  const keyWindows = { "5h": running("5h", 1n, 5), "1d": running("1d", 1n, 6), "7d": running("7d", 1n, 7) };
  const empty = { user: { balanceNanos: 0n }, key, keyWindows };
  expect(check({ ...empty, quotaUsed: 1n })).toMatchObject({ code: "billing.quota_reached" });
  expect(check(empty)).toMatchObject({ code: "billing.window_reached", retryAfterMs: 5 });
  const { "5h": _, ...longer } = keyWindows;
  expect(check({ ...empty, keyWindows: longer })).toMatchObject({ retryAfterMs: 6 });
  expect(codeOf({ ...empty, keyWindows: {} })).toBe("billing.balance_exhausted");
});

test("without billing nobody is refused for money, and what would pay is still told", () => {
  const spent: World = {
    user: { balanceNanos: -1n },
    key: { quotaNanos: 0n, windowLimits: { "5h": 0n, "1d": 0n, "7d": 0n } },
  };
  expect(check(spent, unbilledEligibility)).toEqual({ subscriptionId: undefined });
  expect(check({ ...spent, group: subscribed.group }, unbilledEligibility)).toEqual({
    subscriptionId: undefined,
  });
  expect(check({ ...spent, ...subscribed }, unbilledEligibility)).toEqual({
    subscriptionId: SUBSCRIPTION.id,
  });
});
