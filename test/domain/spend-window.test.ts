import { expect, test } from "bun:test";
import { SPAN_MS, type WindowSpan, windowEndMs, windowUsedNanos } from "#domain/spend-window.ts";

const START = 1_000_000;
const window = { startedAtMs: START, usedNanos: 7n };

test.each(Object.keys(SPAN_MS) as WindowSpan[])("a window of %s counts until its span is over", (span) => {
  const endMs = START + SPAN_MS[span];
  expect(windowUsedNanos(window, span, START)).toBe(7n);
  expect(windowUsedNanos(window, span, endMs - 1)).toBe(7n);
  expect(windowEndMs(window, span, endMs - 1)).toBe(endMs);
  expect(windowUsedNanos(window, span, endMs)).toBe(0n);
  expect(windowEndMs(window, span, endMs)).toBeUndefined();
});

test("a window that a clock ahead of ours has begun counts at once", () => {
  expect(windowUsedNanos(window, "5h", START - 1)).toBe(7n);
});

test("before the first cost nothing is used and nothing ends", () => {
  expect(windowUsedNanos(undefined, "5h", START)).toBe(0n);
  expect(windowEndMs(undefined, "5h", START)).toBeUndefined();
});
