import { expect, test } from "bun:test";
import { scheduleOf } from "../../bench/load/schedule.ts";

const JOB = { rate: 1_000, seconds: 20, seed: 3 } as const;

test("the same job makes the same schedule, and another seed another one", () => {
  const first = scheduleOf({ ...JOB, arrivals: "poisson" });
  expect(scheduleOf({ ...JOB, arrivals: "poisson" })).toEqual(first);
  expect(scheduleOf({ ...JOB, seed: 4, arrivals: "poisson" })).not.toEqual(first);
});

test("Poisson arrivals come at the rate, with gaps as different as chance makes them", () => {
  const times = scheduleOf({ ...JOB, arrivals: "poisson" });
  const gaps = [...times.slice(1)].map((at, index) => at - (times[index] ?? 0));
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
  expect(mean).toBeWithin(0.95, 1.05);
  expect(deviation / mean).toBeWithin(0.95, 1.05);
});

test("fixed arrivals are evenly spaced", () => {
  const times = scheduleOf({ ...JOB, arrivals: "fixed" });
  expect(times).toHaveLength(20_000);
  expect(times[19_999]).toBeCloseTo(19_999);
});
