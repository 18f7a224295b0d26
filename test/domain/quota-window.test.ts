import { describe, expect, test } from "bun:test";
import { QUARTER_MS } from "#domain/quarter-spend.ts";
import { lastResetMs, nextResetMs, type QuotaResetTime } from "#domain/quota-window.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PERIODS = ["daily", "weekly"] as const;
const HOURS = [0, 1, 2, 3, 23];

/** Zones with whole, half and quarter hours, and days on which clocks change at night, at midnight, or skip a day. */
const CHANGES: [zone: string, around: string][] = [
  ["UTC", "2026-03-01"],
  ["Europe/Berlin", "2026-03-29"],
  ["Europe/Berlin", "2026-10-25"],
  ["America/New_York", "2026-03-08"],
  ["America/New_York", "2026-11-01"],
  ["America/St_Johns", "2026-11-01"],
  ["Asia/Kathmandu", "2026-01-15"],
  ["Australia/Lord_Howe", "2026-04-05"],
  ["Australia/Lord_Howe", "2026-10-04"],
  ["Pacific/Chatham", "2026-04-05"],
  ["Pacific/Chatham", "2026-09-27"],
  ["America/Santiago", "2026-04-05"],
  ["America/Santiago", "2026-09-06"],
  ["Africa/Cairo", "2026-04-24"],
  ["Africa/Cairo", "2026-10-30"],
  ["America/Nuuk", "2026-10-25"],
  ["America/St_Johns", "2010-11-07"],
  ["Pacific/Apia", "2011-12-30"],
];

/** What clocks show, as if they showed UTC, at every quarter of an hour from 20 days before a day to 12 after it. */
function clocks(zone: string, around: string): readonly (readonly [atMs: number, shownMs: number])[] {
  const format = new Intl.DateTimeFormat("sv-SE", {
    timeZone: zone,
    dateStyle: "short",
    timeStyle: "medium",
  });
  const from = Date.parse(around) - 20 * DAY_MS;
  return Array.from({ length: (32 * DAY_MS) / QUARTER_MS }, (_, index) => {
    const atMs = from + index * QUARTER_MS;
    return [atMs, Date.parse(`${format.format(atMs).replace(" ", "T")}Z`)] as const;
  });
}

/** Every moment at which clocks show a time of reset, or a later one, for the first time. */
function resetsIn(
  shown: ReturnType<typeof clocks>,
  { resetHour, resetWeekday }: QuotaResetTime,
  period: (typeof PERIODS)[number],
): readonly number[] {
  const length = period === "daily" ? DAY_MS : 7 * DAY_MS;
  // 1970-01-04 was a Sunday.
  const first = resetHour * HOUR_MS + (period === "daily" ? 0 : (3 + resetWeekday) * DAY_MS);
  let most = Number.POSITIVE_INFINITY;
  const resets: number[] = [];
  for (const [atMs, shownMs] of shown) {
    const passed = Math.floor((shownMs - first) / length);
    if (passed > most) resets.push(atMs);
    most = Math.max(passed, most === Number.POSITIVE_INFINITY ? passed : most);
  }
  return resets;
}

/** Asks at many moments, and around every reset. */
function check(reset: QuotaResetTime, period: (typeof PERIODS)[number], resets: readonly number[]): void {
  const shuffle = new Shuffle(11);
  const [first = 0] = resets;
  const last = resets.at(-1) ?? 0;
  for (let run = 0; run < 60; run++) {
    const nowMs = first + shuffle.below(last - first);
    const wanted = [resets.findLast((ms) => ms <= nowMs), resets.find((ms) => ms > nowMs)];
    const found = [lastResetMs(reset, period, nowMs), nextResetMs(reset, period, nowMs)];
    expect({ ...reset, period, nowMs, found }).toEqual({
      ...reset,
      period,
      nowMs,
      found: wanted as number[],
    });
  }
  for (const ms of resets) {
    expect([lastResetMs(reset, period, ms), nextResetMs(reset, period, ms - 1)]).toEqual([ms, ms]);
    // Clocks that are set back just after midnight show the day before once more.
    expect(lastResetMs(reset, period, ms + HOUR_MS / 2)).toBe(ms);
  }
}

describe("a fixed quota starts anew when clocks in its zone first show the hour", () => {
  test.each(CHANGES)("%s around %s", (zone, around) => {
    const shown = clocks(zone, around);
    for (const resetHour of HOURS) {
      for (const period of PERIODS) {
        const reset = { resetHour, resetWeekday: (resetHour + 5) % 7, resetTimezone: zone };
        check(reset, period, resetsIn(shown, reset, period));
      }
    }
  });
});

test("a week begins on its weekday", () => {
  const reset = { resetHour: 9, resetWeekday: 1, resetTimezone: "Europe/Berlin" };
  // A Wednesday; the Monday before it, in winter time.
  expect(lastResetMs(reset, "weekly", Date.parse("2026-01-07T12:00:00Z"))).toBe(
    Date.parse("2026-01-05T08:00:00Z"),
  );
  expect(nextResetMs(reset, "weekly", Date.parse("2026-01-07T12:00:00Z"))).toBe(
    Date.parse("2026-01-12T08:00:00Z"),
  );
});

test("more zones than formatters are kept for are told apart", () => {
  const zones = Intl.supportedValuesOf("timeZone").slice(0, 150);
  const nowMs = Date.parse("2026-06-15T12:00:00Z");
  const reset = (resetTimezone: string) => ({ resetHour: 4, resetWeekday: 0, resetTimezone });
  const once = zones.map((zone) => lastResetMs(reset(zone), "daily", nowMs));
  const again = zones.map((zone) => lastResetMs(reset(zone), "daily", nowMs));
  expect(again).toEqual(once);
  for (const ms of once) expect(nowMs - ms).toBeWithin(0, DAY_MS);
});

test("an unknown zone is an error", () => {
  const reset = { resetHour: 0, resetWeekday: 0, resetTimezone: "Nowhere/Land" };
  expect(() => lastResetMs(reset, "daily", 0)).toThrow(RangeError);
});
