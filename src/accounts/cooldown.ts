import type { RuntimeSettings } from "#domain/settings.ts";
import type { Fault } from "#kernel/fault.ts";
import type { RateLimits } from "#providers/provider.ts";

/** No account rests longer for one refusal, in milliseconds: a week, the longest window that upstreams limit. */
const REST_MS_MAX = 604_800_000;

const MS_PER_SECOND = 1_000;
const MS_PER_MINUTE = 60_000;

/** What the length of a rest is found from. */
export interface RestTerms {
  readonly settings: RuntimeSettings;
  readonly nowMs: number;
  /** Counts this refusal; how many without a hint have come in a row. 0: it belongs to the one before. */
  readonly countStrike: () => number;
}

/** The end of a rest of this length, in milliseconds since the Unix epoch. */
function restUntilMs(nowMs: number, restMs: number): number {
  return nowMs + Math.min(restMs, REST_MS_MAX);
}

/** The end of a rest in minutes. */
export function minutesUntilMs(nowMs: number, minutes: number): number {
  return restUntilMs(nowMs, minutes * MS_PER_MINUTE);
}

/**
 * How long an account rests after it was told that it is at its rate limit: for as long as it was told, else
 * until the limits that it was shown are over, else for a short time that doubles with each such refusal.
 */
export function rateLimitedUntilMs(fault: Fault, limits: RateLimits, terms: RestTerms): number | undefined {
  const hinted = hintedUntilMs(fault, terms.nowMs) ?? limits.refusedUntilMs;
  return hinted === undefined ? growingUntilMs(terms) : restUntilMs(terms.nowMs, hinted - terms.nowMs);
}

/**
 * How long an account rests after its upstream said that it has too much to do. A group's only account rests
 * no longer than after a rate limit without a hint, because nothing else can serve meanwhile.
 */
export function overloadedUntilMs(
  fault: Fault,
  isOnlyAccount: boolean,
  terms: RestTerms,
): number | undefined {
  const { settings, nowMs } = terms;
  if (!settings.overload_cooldown) return undefined;
  const hinted = hintedUntilMs(fault, nowMs);
  if (hinted !== undefined) return hinted;
  return isOnlyAccount ? growingUntilMs(terms) : minutesUntilMs(nowMs, settings.overload_cooldown_minutes);
}

/**
 * How long an account rests because its upstream says when it will be back, which is what `retry-after` means
 * with a 503 (RFC 9110, 10.2.3).
 */
export function unavailableUntilMs(fault: Fault, { nowMs }: RestTerms): number | undefined {
  return fault.upstream?.status === 503 ? hintedUntilMs(fault, nowMs) : undefined;
}

/** When the upstream wants to be asked again; undefined where it did not say, or says at once. */
function hintedUntilMs({ retryAfterMs }: Fault, nowMs: number): number | undefined {
  return retryAfterMs === undefined || retryAfterMs <= 0 ? undefined : restUntilMs(nowMs, retryAfterMs);
}

/** A row of refusals without a hint is forgotten after this, in milliseconds; longer than any rest in it. */
export function forgetStrikesMs({ rate_limit_cooldown_seconds_max }: RuntimeSettings): number {
  return 2 * rate_limit_cooldown_seconds_max * MS_PER_SECOND;
}

function growingUntilMs({ settings, nowMs, countStrike }: RestTerms): number | undefined {
  const strikes = countStrike();
  if (strikes === 0) return undefined;
  const seconds = Math.min(
    settings.rate_limit_cooldown_seconds * 2 ** (strikes - 1),
    settings.rate_limit_cooldown_seconds_max,
  );
  return restUntilMs(nowMs, seconds * MS_PER_SECOND);
}
