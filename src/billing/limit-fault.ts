import type { WindowSpan } from "#domain/spend-window.ts";
import { isoTime } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
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

function windowFault(limit: SpendLimit & { kind: "window" }, nowMs: number): Fault {
  const { holder, span, endsAtMs } = limit;
  const code = holder === "key" ? "billing.window_reached" : "billing.subscription_limit";
  const whose = holder === "key" ? "this API key" : "this subscription";
  const reset = endsAtMs === undefined ? "" : `. It resets at ${isoTime(endsAtMs)}`;
  return new Fault(code, {
    publicMessage: `The ${SPAN_WORDS[span]} limit of ${whose} is reached: ${usedOf(limit)}${reset}`,
    retryAfterMs: endsAtMs === undefined ? undefined : endsAtMs - nowMs,
  });
}

function usedOf({ usedNanos, limitNanos }: SpendLimit): string {
  return `${nanosToUsd(usedNanos)} of ${nanosToUsd(limitNanos)} USD are used`;
}
