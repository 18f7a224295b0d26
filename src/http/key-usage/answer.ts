import type { Eligibility } from "#billing/eligibility.ts";
import { balanceLimit, keyLimits, type SpendLimit, subscriptionLimits } from "#billing/spend-limits.ts";
import type { ApiKey } from "#domain/api-key.ts";
import type { Principal } from "#domain/principal.ts";
import { SPAN_MS, type SubscriptionSpan, windowUsedNanos } from "#domain/spend-window.ts";
import type { Subscription } from "#domain/subscription.ts";
import { isoTime } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import { nanosToUsd } from "#kernel/money.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";

const DAY_MS = 86_400_000;
const UNIT = "USD";
/** What `remaining` says where nothing limits a subscription. */
const UNLIMITED = -1;

/** What a key's limits are told from. */
export interface LimitFacts {
  readonly snapshot: Snapshot;
  readonly eligibility: Eligibility;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
}

/**
 * What a key may still spend, in the form of `GET /v1/usage`. `isValid` is whether a request that came now would be
 * let in, by the very rule that decides on requests.
 *
 * @throws Fault `auth.key_invalid` when the key is gone.
 */
export function showLimits(principal: Principal, facts: LimitFacts): object {
  const key = facts.snapshot.apiKey(principal.apiKeyId);
  if (key === undefined) throw new Fault("auth.key_invalid");
  const refusal = refusalOf(principal, facts);
  const isValid = refusal === undefined;
  const limits = keyLimits(principal, facts.nowMs, facts.snapshot);
  if (limits.length > 0) {
    const status = statusOf(refusal, limits);
    return { mode: "quota_limited", isValid, status, ...keyFields(key, limits, facts) };
  }
  const purse =
    principal.group.subscriptionType === "subscription"
      ? subscriptionFields(principal, facts)
      : walletFields(principal, facts);
  return { mode: "unrestricted", isValid, ...purse };
}

/** An amount as a JSON number of US dollars, the nearest there is. */
export function usdNumber(nanos: bigint): number {
  return Number(nanosToUsd(nanos));
}

function refusalOf(principal: Principal, { eligibility, nowMs }: LimitFacts): Fault | undefined {
  try {
    eligibility.check(principal, nowMs);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
}

function statusOf(refusal: Fault | undefined, limits: readonly SpendLimit[]): string {
  if (refusal?.code === "auth.key_expired") return "expired";
  const isUsedUp = limits.some(
    ({ kind, usedNanos, limitNanos }) => kind === "quota" && usedNanos >= limitNanos,
  );
  return isUsedUp ? "quota_exhausted" : "active";
}

function keyFields({ expiresAtMs }: ApiKey, limits: readonly SpendLimit[], { nowMs }: LimitFacts): object {
  const quota = limits.find(({ kind }) => kind === "quota");
  const windows = limits.filter((limit) => limit.kind === "window");
  return {
    ...(quota === undefined ? {} : quotaFields(quota)),
    ...(windows.length === 0 ? {} : { rate_limits: windows.map(showWindow) }),
    ...(expiresAtMs === undefined
      ? {}
      : {
          expires_at: isoTime(expiresAtMs),
          days_until_expiry: Math.max(0, Math.floor((expiresAtMs - nowMs) / DAY_MS)),
        }),
  };
}

function quotaFields(quota: SpendLimit): object {
  const remaining = usdNumber(leftOf(quota));
  return { quota: { ...showUsed(quota), remaining, unit: UNIT }, remaining, unit: UNIT };
}

function showWindow(window: SpendLimit & { kind: "window" }): object {
  const { span, endsAtMs } = window;
  return {
    window: span,
    ...showUsed(window),
    remaining: usdNumber(leftOf(window)),
    window_start: endsAtMs === undefined ? null : isoTime(endsAtMs - SPAN_MS[span]),
    ...(endsAtMs === undefined ? {} : { reset_at: isoTime(endsAtMs) }),
  };
}

function showUsed({ limitNanos, usedNanos }: SpendLimit): object {
  return { limit: usdNumber(limitNanos), used: usdNumber(usedNanos) };
}

function walletFields(principal: Principal, { snapshot }: LimitFacts): object {
  const wallet = balanceLimit(principal, snapshot);
  return {
    planName: "Wallet balance",
    remaining: usdNumber(leftOf(wallet)),
    unit: UNIT,
    balance: usdNumber(wallet.limitNanos),
  };
}

function subscriptionFields(principal: Principal, facts: LimitFacts): object {
  const { group, userId } = principal;
  const plan = { planName: group.name, unit: UNIT };
  const subscription = facts.snapshot.subscription(userId, group.id);
  if (subscription === undefined || !isInForce(subscription, facts.nowMs)) return plan;
  const used = (span: SubscriptionSpan): bigint =>
    windowUsedNanos(facts.snapshot.subscriptionWindow(subscription.id, span), span, facts.nowMs);
  const left = subscriptionLimits(subscription, group, facts.nowMs, facts.snapshot)
    .map(leftOf)
    .map(usdNumber);
  const limitOf = (span: SubscriptionSpan): number | null => {
    const limitNanos = group.windowLimits[span];
    return limitNanos === undefined ? null : usdNumber(limitNanos);
  };
  return {
    ...plan,
    remaining: left.length === 0 ? UNLIMITED : Math.min(...left),
    subscription: {
      daily_usage_usd: usdNumber(used("1d")),
      weekly_usage_usd: usdNumber(used("7d")),
      monthly_usage_usd: usdNumber(used("30d")),
      daily_limit_usd: limitOf("1d"),
      weekly_limit_usd: limitOf("7d"),
      monthly_limit_usd: limitOf("30d"),
      expires_at: isoTime(subscription.expiresAtMs),
    },
  };
}

function isInForce({ status, startsAtMs, expiresAtMs }: Subscription, nowMs: number): boolean {
  return status === "active" && startsAtMs <= nowMs && nowMs < expiresAtMs;
}

function leftOf({ limitNanos, usedNanos }: SpendLimit): bigint {
  return limitNanos > usedNanos ? limitNanos - usedNanos : 0n;
}
