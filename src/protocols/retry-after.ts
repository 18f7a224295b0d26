import { systemClock } from "#kernel/clock.ts";
import { type HeaderRecord, headerOf } from "#kernel/headers.ts";

/** Longest wait an upstream may ask for, in milliseconds: a week, which is the longest window that Anthropic limits. */
const RETRY_AFTER_MS_MAX = 604_800_000;

/** Reads `retry-after` (RFC 9110 §10.2.3: seconds or a date) in milliseconds; undefined when absent or bad. */
export function readRetryAfterMs(headers: HeaderRecord): number | undefined {
  const value = headerOf(headers, "retry-after")?.trim();
  if (value === undefined || value === "") return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - systemClock.now();
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), RETRY_AFTER_MS_MAX) : undefined;
}
