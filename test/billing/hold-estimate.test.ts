import { expect, test } from "bun:test";
import { type EstimateFacts, estimateNanos } from "#billing/hold-estimate.ts";
import { OutputHistory } from "#billing/hold-outputs.ts";
import { flatRate, type ModelPrice } from "#billing/prices.ts";
import type { ApiKeyId } from "#domain/ids.ts";

/** 1,000 nano-dollars a token of input, 5,000 of output. */
const PRICE: ModelPrice = {
  input: flatRate(1_000_000_000n),
  output: flatRate(5_000_000_000n),
  cacheWrite5m: flatRate(1_250_000_000n),
  cacheWrite1h: flatRate(2_000_000_000n),
  cacheRead: flatRate(100_000_000n),
  requestNanos: 0n,
};
const FACTS: EstimateFacts = {
  price: PRICE,
  multiplierNanos: 1_000_000_000n,
  bodyBytes: 3_500,
  maxTokens: 100,
  recentOutputTokens95: undefined,
  firstGuessTokens: 1_024,
};
const estimate = (facts: Partial<EstimateFacts>) => estimateNanos({ ...FACTS, ...facts });

test("the input is guessed by the body's size, the output by the smaller of limit and experience", () => {
  expect(estimate({})).toBe(1_000 * 1_000 + 100 * 5_000);
  expect(estimate({ recentOutputTokens95: 40 })).toBe(1_000 * 1_000 + 40 * 5_000);
  expect(estimate({ recentOutputTokens95: 400 })).toBe(1_000 * 1_000 + 100 * 5_000);
  expect(estimate({ maxTokens: undefined })).toBe(1_000 * 1_000 + 1_024 * 5_000);
});

test("a part of a token is a token, and every request has some", () => {
  expect(estimate({ bodyBytes: 3_501, maxTokens: 0 })).toBe(1_001 * 1_000);
  expect(estimate({ bodyBytes: 0, maxTokens: 0 })).toBe(8 * 1_000);
  expect(estimate({ bodyBytes: 1e9, maxTokens: -5 })).toBe(1_000_000 * 1_000);
});

test("the multiplier counts, and what is free needs nothing", () => {
  expect(estimate({ multiplierNanos: 500_000_000n })).toBe(750_000);
  expect(estimate({ multiplierNanos: 0n })).toBe(0);
});

test("a guess is always a number that can be counted with", () => {
  const price = { ...PRICE, output: flatRate(10n ** 18n) };
  expect(estimate({ price, maxTokens: 10_000_000, firstGuessTokens: 10_000_000 })).toBe(
    Number.MAX_SAFE_INTEGER,
  );
});

test("experience begins with the eighth answer and is of the last 64", () => {
  const history = new OutputHistory();
  const key = 1 as ApiKeyId;
  for (let tokens = 1; tokens <= 7; tokens++) history.add(key, "m", tokens);
  expect(history.percentile95(key, "m")).toBeUndefined();
  history.add(key, "m", 8);
  expect(history.percentile95(key, "m")).toBe(8);
  for (let tokens = 1; tokens <= 1_000; tokens++) history.add(key, "m", tokens);
  // Of 937 to 1,000 the 61st.
  expect(history.percentile95(key, "m")).toBe(997);
  expect(history.percentile95(key, "other")).toBeUndefined();
  expect(history.percentile95(2 as ApiKeyId, "m")).toBeUndefined();
});

test("twenty thousand made-up names do not push out a model that is in use, nor fill memory", () => {
  const history = new OutputHistory();
  const key = 1 as ApiKeyId;
  for (let answer = 0; answer < 8; answer++) history.add(key, "used", 7);
  for (let name = 0; name < 20_000; name++) {
    history.add(key, `made-up ${name}`, 1);
    if (name % 5_000 === 0) expect(history.percentile95(key, "used")).toBe(7);
  }
  for (let answer = 0; answer < 7; answer++) history.add(key, "made-up 0", 1);
  expect(history.percentile95(key, "made-up 0")).toBeUndefined();
});

test("what is known of a key in use outlives ten thousand others, and what is not used goes", () => {
  const history = new OutputHistory();
  const learn = (key: number): void => {
    for (let answer = 0; answer < 8; answer++) history.add(key as ApiKeyId, "model", 100 + key);
  };
  learn(1);
  learn(2);
  for (let other = 3; other <= 10_003; other++) {
    learn(other);
    history.percentile95(1 as ApiKeyId, "model");
  }
  expect(history.percentile95(1 as ApiKeyId, "model")).toBe(101);
  expect(history.percentile95(2 as ApiKeyId, "model")).toBeUndefined();
});
