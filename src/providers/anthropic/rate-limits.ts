import { type HeaderRecord, headerOf } from "#kernel/headers.ts";
import { NO_LIMITS, type RateLimits } from "#providers/provider.ts";

/**
 * Limits of requests and tokens, each with `-limit`, `-remaining` and, in RFC 3339, `-reset`.
 * Source: https://platform.claude.com/docs/en/api/rate-limits#response-headers
 */
const FAMILIES = ["requests", "tokens", "input-tokens", "output-tokens"].map((family) => ({
  limit: `anthropic-ratelimit-${family}-limit`,
  remaining: `anthropic-ratelimit-${family}-remaining`,
  reset: `anthropic-ratelimit-${family}-reset`,
}));

/**
 * Windows of subscription accounts, as their answers show them: the share that is used up, the end in seconds
 * since the Unix epoch, and whether the window refuses requests.
 */
const windowOf = (name: string) => ({
  utilization: `anthropic-ratelimit-unified-${name}-utilization`,
  reset: `anthropic-ratelimit-unified-${name}-reset`,
  status: `anthropic-ratelimit-unified-${name}-status`,
  surpassed: `anthropic-ratelimit-unified-${name}-surpassed-threshold`,
});
const FIVE_HOURS = windowOf("5h");
const SEVEN_DAYS = windowOf("7d");
/** The two windows together. */
const UNIFIED_RESET = "anthropic-ratelimit-unified-reset";

/** A window counts as used up from here on; utilization is rounded. */
const USED_UP = 1 - 1e-9;
/** Larger moments are milliseconds; as seconds they would be in the year 5138. */
const SECONDS_MAX = 1e11;
/** Within this time the limits of requests and tokens, which are per minute, are full again; in milliseconds. */
const REFILL_MS = 60_000;

/** One limit as an answer tells of it. */
interface Limit {
  readonly share: number;
  /** Undefined: not said, or past. */
  readonly resetMs: number | undefined;
}

interface Window extends Limit {
  readonly isExceeded: boolean;
}

/** Reads Anthropic's rate limit headers. A moment that is not to come says nothing and is passed over. */
export function readLimits(headers: HeaderRecord, nowMs: number): RateLimits {
  const families = readFamilies(headers, nowMs);
  const fiveHours = readWindow(headers, FIVE_HOURS, nowMs);
  const sevenDays = readWindow(headers, SEVEN_DAYS, nowMs);
  const unifiedResetMs = readMoment(headerOf(headers, UNIFIED_RESET), nowMs);
  const least = tightest([...families, fiveHours, sevenDays]);
  if (least === undefined && unifiedResetMs === undefined) return NO_LIMITS;
  return {
    headroom: least?.share ?? 1,
    headroomResetMs: least === undefined ? 0 : (least.resetMs ?? nowMs + REFILL_MS),
    refusedUntilMs: windowEndMs(fiveHours, sevenDays) ?? unifiedResetMs ?? exhaustedUntilMs(families),
  };
}

function readFamilies(headers: HeaderRecord, nowMs: number): readonly Limit[] {
  const families: Limit[] = [];
  for (const names of FAMILIES) {
    const remaining = headerOf(headers, names.remaining);
    if (remaining === null) continue;
    const share = Number(remaining) / Number(headerOf(headers, names.limit));
    if (!Number.isFinite(share)) continue;
    families.push({ share: clamped(share), resetMs: readMoment(headerOf(headers, names.reset), nowMs) });
  }
  return families;
}

function readWindow(headers: HeaderRecord, names: typeof FIVE_HOURS, nowMs: number): Window | undefined {
  const reset = headerOf(headers, names.reset);
  const utilization = headerOf(headers, names.utilization);
  if (reset === null && utilization === null) return undefined;
  const used = utilization === null ? 0 : Number(utilization);
  // Where the threshold is a number it is one that calls for a warning, and says nothing about the end.
  const isExceeded =
    used >= USED_UP ||
    headerOf(headers, names.status) === "rejected" ||
    headerOf(headers, names.surpassed)?.toLowerCase() === "true";
  const share = isExceeded ? 0 : clamped(1 - (Number.isFinite(used) ? used : 0));
  return { share, resetMs: readMoment(reset, nowMs), isExceeded };
}

/** Which window's end a refusal waits for: the longer one that is used up; where none is, the sooner end. */
function windowEndMs(fiveHours: Window | undefined, sevenDays: Window | undefined): number | undefined {
  const short = fiveHours?.resetMs;
  const long = sevenDays?.resetMs;
  if (sevenDays?.isExceeded) return fiveHours?.isExceeded ? (long ?? short) : long;
  if (fiveHours?.isExceeded) return short;
  return short === undefined || long === undefined ? (short ?? long) : Math.min(short, long);
}

/** When the last of the limits that have nothing left is full again. */
function exhaustedUntilMs(families: readonly Limit[]): number | undefined {
  let last = 0;
  for (const { share, resetMs } of families) if (share === 0) last = Math.max(last, resetMs ?? 0);
  return last === 0 ? undefined : last;
}

/** The limit with the smallest share; of equals the one that lasts longer. */
function tightest(limits: readonly (Limit | undefined)[]): Limit | undefined {
  let least: Limit | undefined;
  for (const limit of limits) {
    if (limit !== undefined && (least === undefined || isTighter(limit, least))) least = limit;
  }
  return least;
}

function isTighter(one: Limit, other: Limit): boolean {
  if (one.share !== other.share) return one.share < other.share;
  return (one.resetMs ?? 0) > (other.resetMs ?? 0);
}

function readMoment(text: string | null, nowMs: number): number | undefined {
  if (text === null || text === "") return undefined;
  const number = Number(text);
  const unixMs = number > SECONDS_MAX ? number : number * 1_000;
  const ms = Number.isNaN(number) ? Date.parse(text) : unixMs;
  return ms > nowMs ? ms : undefined;
}

function clamped(share: number): number {
  return Math.min(1, Math.max(0, share));
}
