import { describe, expect, test } from "bun:test";
import { recordOf } from "#kernel/headers.ts";
import { readLimits as readRecord } from "#providers/anthropic/rate-limits.ts";
import { NO_LIMITS, type RateLimits } from "#providers/provider.ts";

const readLimits = (headers: Headers, nowMs: number): RateLimits => readRecord(recordOf(headers), nowMs);
const NOW = Date.parse("2026-10-03T12:00:00Z");
const SECOND = 1_000;
const HOUR = 3_600_000;
const unix = (afterMs: number): string => String((NOW + afterMs) / 1_000);
const rfc3339 = (afterMs: number): string => new Date(NOW + afterMs).toISOString();
const unified = (values: Record<string, string>): Headers =>
  new Headers(Object.entries(values).map(([name, value]) => [`anthropic-ratelimit-unified-${name}`, value]));
const families = (values: Record<string, readonly [limit: number, remaining: number, resetInMs: number]>) =>
  new Headers(
    Object.entries(values).flatMap(([name, [limit, remaining, resetInMs]]): [string, string][] => [
      [`anthropic-ratelimit-${name}-limit`, String(limit)],
      [`anthropic-ratelimit-${name}-remaining`, String(remaining)],
      [`anthropic-ratelimit-${name}-reset`, rfc3339(resetInMs)],
    ]),
  );

test("an answer without rate limits gives the one constant that says so", () => {
  expect(readLimits(new Headers({ "request-id": "req_1" }), NOW)).toBe(NO_LIMITS);
  expect(readLimits(new Headers({ "anthropic-ratelimit-requests-remaining": "many" }), NOW)).toBe(NO_LIMITS);
});

test("headroom is the smallest share left of any limit, until that limit is full again", () => {
  const all = families({
    requests: [50, 49, SECOND],
    tokens: [100_000, 60_000, 2 * SECOND],
    "input-tokens": [80_000, 4_000, 30 * SECOND],
    "output-tokens": [20_000, 19_000, 3 * SECOND],
  });
  expect(readLimits(all, NOW)).toMatchObject({ headroom: 0.05, headroomResetMs: NOW + 30 * SECOND });
  all.set("anthropic-ratelimit-unified-7d-utilization", "0.99");
  all.set("anthropic-ratelimit-unified-7d-reset", unix(50 * HOUR));
  const both = readLimits(all, NOW);
  expect(both.headroom).toBeCloseTo(0.01);
  expect(both.headroomResetMs).toBe(NOW + 50 * HOUR);
});

test("a limit that does not say when it is full again is not remembered for longer than a minute", () => {
  const limits = readLimits(
    new Headers({ "anthropic-ratelimit-tokens-limit": "10", "anthropic-ratelimit-tokens-remaining": "0" }),
    NOW,
  );
  expect(limits).toEqual({ headroom: 0, headroomResetMs: NOW + 60 * SECOND, refusedUntilMs: undefined });
});

describe("a refusal is over when", () => {
  const rows: readonly (readonly [string, Headers, number | undefined])[] = [
    [
      "the seven days are, if both windows are used up",
      unified({
        "5h-utilization": "1",
        "5h-reset": unix(HOUR),
        "7d-utilization": "1",
        "7d-reset": unix(90 * HOUR),
      }),
      90 * HOUR,
    ],
    [
      "the five hours are, if both are used up and the other end is not told",
      unified({ "5h-utilization": "1", "5h-reset": unix(HOUR), "7d-utilization": "1.2" }),
      HOUR,
    ],
    [
      "the five hours are, if only they are used up",
      unified({
        "5h-utilization": "0.9999999999",
        "5h-reset": unix(HOUR),
        "7d-utilization": "0.9",
        "7d-reset": unix(1),
      }),
      HOUR,
    ],
    [
      "the seven days are, if only they are used up",
      unified({
        "5h-surpassed-threshold": "false",
        "5h-reset": unix(HOUR),
        "7d-surpassed-threshold": "True",
        "7d-reset": unix(90 * HOUR),
      }),
      90 * HOUR,
    ],
    [
      "the window is that says it refuses",
      unified({
        "5h-utilization": "0.2",
        "5h-reset": unix(HOUR),
        "7d-status": "rejected",
        "7d-reset": unix(90 * HOUR),
      }),
      90 * HOUR,
    ],
    [
      "the sooner window is, if none is used up",
      unified({ "5h-reset": unix(HOUR), "7d-reset": unix(90 * HOUR) }),
      HOUR,
    ],
    [
      "the sooner window is, if one has only passed its warning threshold",
      unified({ "5h-reset": unix(HOUR), "7d-surpassed-threshold": "0.75", "7d-reset": unix(90 * HOUR) }),
      HOUR,
    ],
    ["the only window is that is told", unified({ "7d-reset": unix(90 * HOUR) }), 90 * HOUR],
    [
      "both together are, if the window does not say",
      unified({ "5h-utilization": "1", "5h-reset": "soon", reset: unix(2 * HOUR) }),
      2 * HOUR,
    ],
    ["both together are, if that is all that is told", unified({ reset: unix(2 * HOUR) }), 2 * HOUR],
    ["milliseconds say so", unified({ reset: String(NOW + HOUR) }), HOUR],
    ["a date says so", unified({ reset: rfc3339(HOUR) }), HOUR],
    [
      "the last of the limits with nothing left is full again",
      families({ requests: [50, 0, SECOND], tokens: [100, 0, 9 * SECOND], "output-tokens": [9, 5, HOUR] }),
      9 * SECOND,
    ],
    ["nobody says, if every limit has something left", families({ requests: [50, 1, SECOND] }), undefined],
    ["nobody says, if the moment is past", unified({ reset: unix(-1), "5h-reset": unix(-HOUR) }), undefined],
    ["nobody says, if it cannot be read", unified({ reset: "soon" }), undefined],
  ];
  test.each(rows)("%s", (_, headers, afterMs) => {
    expect(readLimits(headers, NOW).refusedUntilMs).toBe(afterMs === undefined ? undefined : NOW + afterMs);
  });
});
