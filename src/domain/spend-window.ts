/** How long windows of spending last, in milliseconds, by the names they go by. */
export const SPAN_MS = {
  "5h": 5 * 3_600_000,
  "1d": 86_400_000,
  "7d": 7 * 86_400_000,
  "30d": 30 * 86_400_000,
} as const;

/** A length of a window of spending. */
export type WindowSpan = keyof typeof SPAN_MS;

/** The windows of every API key, in the order in which their limits are checked. */
export const KEY_SPANS = ["5h", "1d", "7d"] as const satisfies readonly WindowSpan[];
/** One of {@link KEY_SPANS}. */
export type KeySpan = (typeof KEY_SPANS)[number];

/** The windows of every subscription, in the order in which their limits are checked. */
export const SUBSCRIPTION_SPANS = ["1d", "7d", "30d"] as const satisfies readonly WindowSpan[];
/** One of {@link SUBSCRIPTION_SPANS}. */
export type SubscriptionSpan = (typeof SUBSCRIPTION_SPANS)[number];

/** Whose spending a window adds up. */
export type WindowHolder = "key" | "subscription";

/**
 * What has been spent since the window began. A window begins with the first cost after the one before it has
 * ended, and lasts its span; a cost is due when its request ends.
 */
export interface SpendWindow {
  /** Milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
  /** Nano-dollars. */
  readonly usedNanos: bigint;
}

/** When a window that is running ends, in milliseconds since the Unix epoch; undefined while none is. */
export function windowEndMs(
  window: SpendWindow | undefined,
  span: WindowSpan,
  nowMs: number,
): number | undefined {
  if (window === undefined) return undefined;
  const endMs = window.startedAtMs + SPAN_MS[span];
  return nowMs < endMs ? endMs : undefined;
}

/** What counts as used now, in nano-dollars: nothing while no window is running. */
export function windowUsedNanos(window: SpendWindow | undefined, span: WindowSpan, nowMs: number): bigint {
  return window !== undefined && windowEndMs(window, span, nowMs) !== undefined ? window.usedNanos : 0n;
}
