import type { WindowSpan } from "#domain/spend-window.ts";
import { isoTime } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import { nanosToUsd } from "#kernel/money.ts";
import type { SpendLimit } from "./spend-limits.ts";

const SPAN_WORDS: Readonly<Record<WindowSpan, string>> = {
  "5h": "5-hour",
  "1d": "daily",
  "7d": "weekly",
  "30d": "monthly",
};

/**
 * The refusal of a request because a limit is reached, at a moment in milliseconds since the Unix epoch. It names
 * the limit, how much of it is used and when it resets, and says how long to wait where waiting helps.
 */
export function limitFault(limit: SpendLimit, nowMs: number): Fault {
  switch (limit.kind) {
    case "balance":
      return new Fault("billing.balance_exhausted", {
        publicMessage: `Insufficient balance: ${nanosToUsd(limit.limitNanos)} USD are left`,
      });
    case "quota":
      return new Fault("billing.quota_reached", {
        publicMessage: `The quota of this API key is used up: ${usedOf(limit)}. It does not reset by itself`,
      });
    case "window":
      return windowFault(limit, nowMs);
  }
}

function windowFault(limit: WindowLimit, nowMs: number): Fault {
  return new Fault(windowCode(limit), {
    publicMessage: `${nameOf(limit)} is reached: ${usedOf(limit)}${resetOf(limit)}`,
    retryAfterMs: retryAfterOf(limit, nowMs),
  });
}

type WindowLimit = SpendLimit & { readonly kind: "window" };

function windowCode({ holder }: WindowLimit): FaultCode {
  return holder === "key" ? "billing.window_reached" : "billing.subscription_limit";
}

function nameOf({ holder, span }: WindowLimit): string {
  return `The ${SPAN_WORDS[span]} limit of this ${holder === "key" ? "API key" : "subscription"}`;
}

function resetOf({ endsAtMs }: WindowLimit): string {
  return endsAtMs === undefined ? "" : `. It resets at ${isoTime(endsAtMs)}`;
}

function retryAfterOf({ endsAtMs }: WindowLimit, nowMs: number): number | undefined {
  return endsAtMs === undefined ? undefined : endsAtMs - nowMs;
}

/** A request that may cost more than is left, in nano-dollars. */
interface Unaffordable {
  /** All the limits of what cannot pay for it. */
  readonly limits: readonly SpendLimit[];
  readonly amountNanos: number;
  /** What is left beside what other requests may cost that are under way; negative when overdrawn. */
  readonly freeNanos: number;
  readonly nowMs: number;
}

/** The refusal of a request that may cost more than is left: it names the limit that leaves the least. */
export function unaffordableFault({ limits, amountNanos, freeNanos, nowMs }: Unaffordable): Fault {
  const leftOf = ({ limitNanos, usedNanos }: SpendLimit): bigint => limitNanos - usedNanos;
  const [tightest] = limits.toSorted((a, b) => (leftOf(a) < leftOf(b) ? -1 : 1));
  const freeUsd = nanosToUsd(BigInt(Math.max(0, freeNanos)));
  const why = `this request may cost ${nanosToUsd(BigInt(amountNanos))} USD, and ${freeUsd} USD are left beside the requests under way`;
  if (tightest === undefined || tightest.kind === "balance") {
    return new Fault("billing.balance_exhausted", { publicMessage: `Insufficient balance: ${why}` });
  }
  if (tightest.kind === "quota") {
    const publicMessage = `The quota of this API key does not allow it: ${why}. It does not reset by itself`;
    return new Fault("billing.quota_reached", { publicMessage });
  }
  return new Fault(windowCode(tightest), {
    publicMessage: `${nameOf(tightest)} does not allow it: ${why}${resetOf(tightest)}`,
    retryAfterMs: retryAfterOf(tightest, nowMs),
  });
}

function usedOf({ usedNanos, limitNanos }: SpendLimit): string {
  return `${nanosToUsd(usedNanos)} of ${nanosToUsd(limitNanos)} USD are used`;
}
