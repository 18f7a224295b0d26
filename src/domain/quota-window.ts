import type { AccountQuota } from "./account-limits.ts";
import { QUARTER_MS } from "./quarter-spend.ts";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
/** 1970-01-01 was a Thursday; Sunday is 0. */
const EPOCH_WEEKDAY = 4;
/** Zones whose formatters are kept. Making one costs as much as using it thirty times. */
const FORMATTERS_MAX = 64;

/** Times of reset whose latest and next moments are kept; accounts mostly share a few. */
const RESETS_MAX = 1_024;

interface Resets {
  readonly lastMs: number;
  readonly nextMs: number;
}

const formatters = new Map<string, Intl.DateTimeFormat>();
const knownResets = new Map<string, Resets>();

/** What a quota starts anew by: every day, or every week. */
export type QuotaPeriod = "daily" | "weekly";

/** When a fixed quota starts anew. */
export type QuotaResetTime = Pick<AccountQuota, "resetHour" | "resetWeekday" | "resetTimezone">;

/**
 * The latest moment, at or before `nowMs`, at which a fixed quota has started anew, in milliseconds since the
 * Unix epoch: the first moment of its day at which clocks in its time zone show its hour or a later one. So an
 * hour that clocks skip counts from the skip on, and one that they show twice counts from the first time on.
 *
 * @throws RangeError when the time zone is unknown; names are checked where accounts are written.
 */
export function lastResetMs(reset: QuotaResetTime, period: QuotaPeriod, nowMs: number): number {
  return resetsAround(reset, period, nowMs).lastMs;
}

/**
 * The first moment after `nowMs` at which a fixed quota starts anew, in milliseconds since the Unix epoch.
 *
 * @throws RangeError as {@link lastResetMs}.
 */
export function nextResetMs(reset: QuotaResetTime, period: QuotaPeriod, nowMs: number): number {
  return resetsAround(reset, period, nowMs).nextMs;
}

/** Working the moments out takes tens of microseconds, and they hold for a day or a week. */
function resetsAround(reset: QuotaResetTime, period: QuotaPeriod, nowMs: number): Resets {
  const key = `${period} ${reset.resetHour} ${reset.resetWeekday} ${reset.resetTimezone}`;
  const known = knownResets.get(key);
  if (known !== undefined && known.lastMs <= nowMs && nowMs < known.nextMs) return known;
  const found = findResets(reset, period, nowMs);
  if (knownResets.size >= RESETS_MAX) knownResets.clear();
  knownResets.set(key, found);
  return found;
}

function findResets(reset: QuotaResetTime, period: QuotaPeriod, nowMs: number): Resets {
  const step = period === "daily" ? 1 : 7;
  // Clocks that are set back over midnight may show yesterday again after today has begun.
  let day = resetDayAround(reset, period, nowMs) + step;
  let nextMs = resetOn(day + step, reset);
  let lastMs = resetOn(day, reset);
  while (lastMs > nowMs) {
    day -= step;
    nextMs = lastMs;
    lastMs = resetOn(day, reset);
  }
  return { lastMs, nextMs };
}

/** The local day, counted from the Unix epoch, that `nowMs` is in, or the last one before it with the weekday. */
function resetDayAround(reset: QuotaResetTime, period: QuotaPeriod, nowMs: number): number {
  const today = Math.floor((nowMs + offsetMs(reset.resetTimezone, nowMs)) / DAY_MS);
  if (period === "daily") return today;
  const weekday = (((today + EPOCH_WEEKDAY) % 7) + 7) % 7;
  return today - ((weekday - reset.resetWeekday + 7) % 7);
}

/** When clocks in the zone first show the hour, or a later one, on a local day. */
function resetOn(day: number, { resetHour, resetTimezone }: QuotaResetTime): number {
  const wanted = day * DAY_MS + resetHour * HOUR_MS;
  const before = offsetMs(resetTimezone, wanted - DAY_MS);
  const after = offsetMs(resetTimezone, wanted + DAY_MS);
  if (before === after) return wanted - before;
  for (const offset of [Math.max(before, after), Math.min(before, after)]) {
    if (offsetMs(resetTimezone, wanted - offset) === offset) return wanted - offset;
  }
  // Clocks skip the hour: they change somewhere between what it would be by the old and by the new offset.
  let changeMs = Math.floor((wanted - after) / QUARTER_MS) * QUARTER_MS;
  while (offsetMs(resetTimezone, changeMs) !== after) changeMs += QUARTER_MS;
  return changeMs;
}

/** How far clocks in the zone are ahead of UTC at a moment, in milliseconds. */
function offsetMs(timezone: string, atMs: number): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of formatterOf(timezone).formatToParts(atMs)) parts[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1_000) * 1_000;
}

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone);
  if (known !== undefined) return known;
  const formatter = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  if (formatters.size >= FORMATTERS_MAX) formatters.clear();
  formatters.set(timeZone, formatter);
  return formatter;
}
