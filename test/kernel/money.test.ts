import { expect, test } from "bun:test";
import { nanosToUsd, usdToNanos } from "#kernel/money.ts";

test("amounts go to text and back without loss", () => {
  for (const nanos of [
    0n,
    1n,
    -1n,
    999_999_999n,
    1_000_000_000n,
    -12_500_000_000n,
    123_456_789_987_654_321n,
  ]) {
    expect(usdToNanos(nanosToUsd(nanos))).toBe(nanos);
  }
});

test("amounts are shown without trailing zeros", () => {
  expect([nanosToUsd(12_500_000_000n), nanosToUsd(0n), nanosToUsd(-1n)]).toEqual([
    "12.5",
    "0",
    "-0.000000001",
  ]);
});

test("what is not an amount is not read as one", () => {
  for (const text of ["", " 1", "1e3", "1.", ".5", "0.0000000001", "NaN", "1,5", "12345678901", "--1"]) {
    expect(usdToNanos(text)).toBeUndefined();
  }
});
