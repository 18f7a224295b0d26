import type { PriceBook } from "#billing/price-book.ts";
import { costOf } from "#billing/prices.ts";
import type { Platform } from "#domain/platform.ts";
import type { TokenUsage } from "#domain/usage-record.ts";

/** Tokens of each kind, the five kinds that have prices. */
export type Tokens = readonly [
  input: number,
  output: number,
  write5m: number,
  write1h: number,
  cacheRead: number,
];

/** The usage of so many tokens of each kind. */
export function usageOf([input, output, write5m, write1h, cacheRead]: Tokens): TokenUsage {
  return {
    inputTokens: input,
    outputTokens: output,
    cacheCreationTokens: write5m + write1h,
    cacheCreation5mTokens: write5m,
    cacheCreation1hTokens: write1h,
    cacheReadTokens: cacheRead,
  };
}

/** What a request costs at a book's prices of this moment; undefined when nothing has a price for the model. */
export function costIn(
  book: PriceBook,
  [platform, model]: readonly [Platform, string],
  usage: TokenUsage,
  multiplierNanos: bigint,
): bigint | undefined {
  const price = book.priceOf(platform, model);
  return price && costOf(price, usage, multiplierNanos);
}
