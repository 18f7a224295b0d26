import { expect, test } from "bun:test";
import { costOf, flatRate, type ModelPrice, type Rate } from "#billing/prices.ts";
import { NO_USAGE } from "#domain/usage-record.ts";

const RUNS = 20_000;
const ONE = 1_000_000_000n;
const TOKENS_PER_PRICE = 1_000_000n;

function below(limit: number): number {
  return Math.floor(Math.random() * limit);
}

/** Of any size, small ones as often as large ones. */
function anySize(digitsMax: number): number {
  return below(10 ** below(digitsMax + 1));
}

function anyRate(): Rate {
  const flat = BigInt(anySize(12));
  if (Math.random() < 0.5) return flatRate(flat);
  return [
    { above: -1, nanosPerMtok: flat },
    { above: 200_000, nanosPerMtok: flat * 2n },
  ];
}

function anyPrice(): ModelPrice {
  return {
    input: anyRate(),
    output: anyRate(),
    cacheWrite5m: anyRate(),
    cacheWrite1h: anyRate(),
    cacheRead: anyRate(),
    requestNanos: BigInt(anySize(9)),
  };
}

function rateFor(rate: Rate, context: number): bigint {
  return rate.findLast(({ above }) => context > above)?.nanosPerMtok ?? rate[0].nanosPerMtok;
}

test("a cost is exact to half a nano-dollar, however it is added up", () => {
  for (let run = 0; run < RUNS; run++) {
    const price = anyPrice();
    const [inputTokens, outputTokens, cacheReadTokens] = [anySize(8), anySize(8), anySize(8)];
    const [cacheCreation5mTokens, cacheCreation1hTokens] = [anySize(8), anySize(8)];
    const cacheCreationTokens = cacheCreation5mTokens + cacheCreation1hTokens;
    const context = inputTokens + cacheCreationTokens + cacheReadTokens;
    if (context + outputTokens === 0) continue;
    const usage = {
      ...NO_USAGE,
      inputTokens,
      outputTokens,
      cacheReadTokens,
      cacheCreationTokens,
      cacheCreation5mTokens,
      cacheCreation1hTokens,
    };
    const sum =
      BigInt(inputTokens) * rateFor(price.input, context) +
      BigInt(outputTokens) * rateFor(price.output, context) +
      BigInt(cacheCreation5mTokens) * rateFor(price.cacheWrite5m, context) +
      BigInt(cacheCreation1hTokens) * rateFor(price.cacheWrite1h, context) +
      BigInt(cacheReadTokens) * rateFor(price.cacheRead, context) +
      price.requestNanos * TOKENS_PER_PRICE;
    for (const multiplier of [ONE, BigInt(anySize(10))]) {
      const dividend = 2n * sum * multiplier + TOKENS_PER_PRICE * ONE;
      expect(costOf(price, usage, multiplier)).toBe(dividend / (2n * TOKENS_PER_PRICE * ONE));
    }
  }
});
