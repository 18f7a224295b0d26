import { expect, test } from "bun:test";
import { calcPrice } from "@pydantic/genai-prices";
import { PriceBook } from "#billing/price-book.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const ONE = 1_000_000_000n;
const MODELS = [
  "claude-opus-4-6",
  "claude-sonnet-4-6",
  "claude-sonnet-4-5-20250929",
  "claude-haiku-4-5-20251001",
];

test("costs equal the catalogue's own to the nano-dollar, tiers included", () => {
  const prices = new PriceBook();
  const shuffle = new Shuffle(7);
  for (let run = 0; run < 500; run++) {
    const model = MODELS[run % MODELS.length] ?? "";
    const [input, output, write5m, write1h, read] = [300_000, 9_000, 20_000, 20_000, 90_000].map((most) =>
      shuffle.below(most),
    ) as [number, number, number, number, number];
    const usage = {
      inputTokens: input,
      outputTokens: output,
      cacheCreationTokens: write5m + write1h,
      cacheCreation5mTokens: write5m,
      cacheCreation1hTokens: write1h,
      cacheReadTokens: read,
    };
    const expected = calcPrice(
      {
        input_tokens: input + write5m + write1h + read,
        output_tokens: output,
        cache_write_tokens: write5m + write1h,
        cache_write_1h_tokens: write1h,
        cache_read_tokens: read,
      },
      model,
      { providerId: "anthropic" },
    );
    const nanos = BigInt(Math.round((expected?.total_price ?? Number.NaN) * 1e9));
    expect({ run, model, usage, nanos: prices.cost("anthropic", model, usage, ONE) }).toEqual({
      run,
      model,
      usage,
      nanos,
    });
  }
});

test("an unknown model has no price, which is not the same as a price of nothing", () => {
  const usage = {
    inputTokens: 1,
    outputTokens: 1,
    cacheCreationTokens: 0,
    cacheCreation5mTokens: 0,
    cacheCreation1hTokens: 0,
    cacheReadTokens: 0,
  };
  expect(new PriceBook().cost("anthropic", "made-up-model", usage, ONE)).toBeUndefined();
  expect(new PriceBook().cost("anthropic", "claude-sonnet-4-6", usage, 0n)).toBe(0n);
});
