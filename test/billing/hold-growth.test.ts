import { expect, test } from "bun:test";
import { growthSteps } from "#billing/hold-growth.ts";

const stop = { onExhausted: "stop", overdraftNanos: 500 } as const;
const finish = { onExhausted: "finish", overdraftNanos: 500 } as const;

test("a hold is left alone until most of it is used", () => {
  expect(growthSteps(0, 0, finish)).toEqual([]);
  expect(growthSteps(799, 1_000, finish)).toEqual([]);
});

test("it then grows by half, or so far that little enough of it is used", () => {
  expect(growthSteps(800, 1_000, finish)).toEqual([{ targetNanos: 1_500, overdraftNanos: 0 }]);
  expect(growthSteps(1_000, 1_000, finish)).toEqual([{ targetNanos: 1_500, overdraftNanos: 0 }]);
  expect(growthSteps(4_000, 1_000, stop)[0]).toEqual({ targetNanos: 5_000, overdraftNanos: 0 });
});

test("where more is used than held, less is asked for, and only what finishes may overdraw", () => {
  expect(growthSteps(1_100, 1_000, stop)).toEqual([
    { targetNanos: 1_500, overdraftNanos: 0 },
    { targetNanos: 1_155, overdraftNanos: 0 },
    { targetNanos: 1_100, overdraftNanos: 0 },
  ]);
  expect(growthSteps(1_100, 1_000, finish).map(({ overdraftNanos }) => overdraftNanos)).toEqual([
    0, 500, 500,
  ]);
});

test("every step is worth asking for, whatever the sizes", () => {
  for (let held = 0; held < 40; held++) {
    for (let used = 1; used < 120; used++) {
      for (const { targetNanos } of growthSteps(used, held, finish)) {
        expect(Number.isInteger(targetNanos) && targetNanos > held && targetNanos >= used).toBe(true);
      }
    }
  }
});
