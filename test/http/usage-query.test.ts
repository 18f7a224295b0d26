import { describe, expect, test } from "bun:test";
import { readUsageTimes } from "#http/key-usage/usage-query.ts";

const HOUR_MS = 3_600_000;
const iso = (ms: number): string => new Date(ms).toISOString();

/** One day of a zone: its first moment, and how many hours it has. */
function dayOf(date: string, zone: string) {
  const { models } = readUsageTimes(`?start_date=${date}&end_date=${date}&timezone=${zone}`, 0);
  return [iso(models.fromMs), (models.toMs - models.fromMs) / HOUR_MS] as const;
}

const DAYS = [
  { what: "that clocks make short", day: "2026-03-29 Europe/Berlin", from: "2026-03-28T23:00", hours: 23 },
  { what: "that clocks make long", day: "2026-10-25 Europe/Berlin", from: "2026-10-24T22:00", hours: 25 },
  { what: "whose midnight is skipped", day: "2026-04-24 Africa/Cairo", from: "2026-04-23T22:00", hours: 23 },
  {
    what: "whose midnight comes twice",
    day: "2026-11-01 America/Havana",
    from: "2026-11-01T04:00",
    hours: 25,
  },
  {
    what: "moved by half an hour",
    day: "2026-10-04 Australia/Lord_Howe",
    from: "2026-10-03T13:30",
    hours: 23.5,
  },
  { what: "that its zone never had", day: "2011-12-30 Pacific/Apia", from: "2011-12-30T10:00", hours: 0 },
  { what: "of a leap year", day: "2024-02-29 Asia/Kolkata", from: "2024-02-28T18:30", hours: 24 },
];

describe("a day", () => {
  test.each(DAYS)("$what is counted whole ($day)", ({ day, from, hours }) => {
    const [date = "", zone = ""] = day.split(" ");
    expect(dayOf(date, zone)).toEqual([`${from}:00.000Z`, hours]);
  });

  test("today begins when the day of the zone began, whatever the clocks did since", () => {
    const today = (now: string, zone: string) =>
      iso(readUsageTimes(`?timezone=${zone}`, Date.parse(now)).todayMs);
    expect(today("2026-11-01T05:30:00Z", "America/Havana")).toBe("2026-11-01T04:00:00.000Z");
    expect(today("2026-04-23T22:00:00Z", "Africa/Cairo")).toBe("2026-04-23T22:00:00.000Z");
    expect(today("2026-04-23T21:59:59Z", "Africa/Cairo")).toBe("2026-04-22T22:00:00.000Z");
    expect(today("2026-10-25T22:59:59Z", "europe/berlin")).toBe("2026-10-24T22:00:00.000Z");
  });

  test("follows the one before without a gap or an overlap, in every zone there is", () => {
    for (const zone of Intl.supportedValuesOf("timeZone")) {
      const query = (first: string, last: string) =>
        readUsageTimes(`?start_date=${first}&end_date=${last}&timezone=${encodeURIComponent(zone)}`, 0)
          .models;
      for (const [before, after] of [
        ["2026-03-28", "2026-03-29"],
        ["2026-10-24", "2026-10-25"],
        ["2025-12-31", "2026-01-01"],
      ] as const) {
        expect([zone, query(before, before).toMs]).toEqual([zone, query(after, after).fromMs]);
        expect([zone, query(before, after).fromMs]).toEqual([zone, query(before, before).fromMs]);
      }
    }
  });
});

describe("without a first day", () => {
  const NOW = Date.parse("2026-04-10T12:34:56Z");
  const modelsOf = (query: string) => {
    const { fromMs, toMs } = readUsageTimes(query, NOW).models;
    return [iso(fromMs), iso(toMs)];
  };

  test("thirty days up to now count, at the same hour of the clock", () => {
    expect(modelsOf("?timezone=Europe/Berlin")).toEqual([
      "2026-03-11T13:34:56.000Z",
      "2026-04-10T12:34:56.001Z",
    ]);
  });

  test("thirty whole days up to the last one count, or up to today when that is yet to come", () => {
    expect(modelsOf("?end_date=2026-01-30")).toEqual([
      "2026-01-01T00:00:00.000Z",
      "2026-01-31T00:00:00.000Z",
    ]);
    expect(modelsOf("?end_date=2026-04-10")).toEqual([
      "2026-03-12T00:00:00.000Z",
      "2026-04-11T00:00:00.000Z",
    ]);
    expect(modelsOf("?end_date=9998-12-31")).toEqual([
      "2026-03-12T00:00:00.000Z",
      "9999-01-01T00:00:00.000Z",
    ]);
  });
});

test("signs and digits that are no plain date or name of a zone are refused", () => {
  for (const query of [
    "?start_date=%2B2026-01-01",
    "?start_date=-002026-01-01",
    "?start_date=2026-1-1",
    "?start_date=2026-01-01T00:00",
    "?start_date=2026-02-29",
    "?end_date=0000-01-01",
    "?end_date=%D9%A2%D9%A0%D9%A2%D9%A6-01-01",
    "?timezone=UTC%2B2",
    "?timezone=T0000Z",
    "?timezone=Z",
    "?timezone=Europe/Berlin%00",
    `?timezone=${"a".repeat(10_000)}`,
  ]) {
    expect(() => readUsageTimes(query, 0)).toThrow();
  }
});
