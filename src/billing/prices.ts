import type { TokenUsage } from "#domain/usage-record.ts";

/** Prices are kept per million tokens, so that every published price is a whole number of nano-dollars. */
const TOKENS_PER_PRICE = 1_000_000n;
const PRICE_TOKENS = Number(TOKENS_PER_PRICE);
const MULTIPLIER_ONE = 1_000_000_000n;
/** What products of prices, tokens and multipliers are divided by; even, so that its half is exact. */
const COST_DIVISOR = TOKENS_PER_PRICE * MULTIPLIER_ONE;
const HALF_COST_DIVISOR = COST_DIVISOR / 2n;

/** One step of a rate. */
interface RateTier {
  /** The step holds for requests whose whole input is larger than this, in tokens. */
  readonly above: number;
  /** Nano-dollars per million tokens. */
  readonly nanosPerMtok: bigint;
}

/** What one kind of token costs: steps in rising order, of which the first one starts below zero. */
export type Rate = readonly [RateTier, ...RateTier[]];

/** What a model costs. Never changed once made, so a request can keep the one that it began with. */
export interface ModelPrice {
  readonly input: Rate;
  readonly output: Rate;
  readonly cacheWrite5m: Rate;
  readonly cacheWrite1h: Rate;
  readonly cacheRead: Rate;
  /** Nano-dollars for each request that used tokens, besides what these cost. */
  readonly requestNanos: bigint;
}

/** The same price for each token, however large the input is. */
export function flatRate(nanosPerMtok: bigint): Rate {
  return [{ above: -1, nanosPerMtok }];
}

/**
 * The cost of a request in nano-dollars. All of it is added up exactly; the sum is rounded once, half a
 * nano-dollar up. The tier is chosen by the whole input, with what was written to and read from the cache, and
 * holds for every token of the request. A request that used no tokens costs nothing.
 *
 * @param multiplierNanos the rate multiplier, where 1_000_000_000n is 1.0; 0n makes it free.
 */
export function costOf(price: ModelPrice, usage: TokenUsage, multiplierNanos: bigint): bigint {
  const split = usage.cacheCreation5mTokens + usage.cacheCreation1hTokens;
  const written = Math.max(usage.cacheCreationTokens, split);
  const context = usage.inputTokens + written + usage.cacheReadTokens;
  if (context + usage.outputTokens === 0) return 0n;
  const quick = multiplierNanos === MULTIPLIER_ONE ? quickCost(price, usage, written, context) : undefined;
  if (quick !== undefined) return quick;
  const total =
    amount(price.input, usage.inputTokens, context) +
    amount(price.output, usage.outputTokens, context) +
    // What has no stated lifetime has the API's default one of five minutes.
    amount(price.cacheWrite5m, written - usage.cacheCreation1hTokens, context) +
    amount(price.cacheWrite1h, usage.cacheCreation1hTokens, context) +
    amount(price.cacheRead, usage.cacheReadTokens, context) +
    price.requestNanos * TOKENS_PER_PRICE;
  return (total * multiplierNanos + HALF_COST_DIVISOR) / COST_DIVISOR;
}

/** A quotient of amounts that are not negative, to the nearest whole number; halves go up. */
export function roundedQuotient(dividend: bigint, divisor: bigint): bigint {
  return (dividend * 2n + divisor) / (divisor * 2n);
}

/**
 * The same cost at the list's own rate, added up in plain numbers; undefined where that would not be exact, which
 * is beyond some millions of tokens. Sums of big integers cost an object for each step.
 */
function quickCost(
  { input, output, cacheWrite5m, cacheWrite1h, cacheRead, requestNanos }: ModelPrice,
  { inputTokens, outputTokens, cacheCreation1hTokens, cacheReadTokens }: TokenUsage,
  written: number,
  context: number,
): bigint | undefined {
  const total =
    inputTokens * Number(priceAt(input, context)) +
    outputTokens * Number(priceAt(output, context)) +
    (written - cacheCreation1hTokens) * Number(priceAt(cacheWrite5m, context)) +
    cacheCreation1hTokens * Number(priceAt(cacheWrite1h, context)) +
    cacheReadTokens * Number(priceAt(cacheRead, context)) +
    Number(requestNanos) * PRICE_TOKENS +
    PRICE_TOKENS / 2;
  // None of the parts is negative, so none of them was inexact where the sum is not.
  if (!Number.isSafeInteger(total)) return undefined;
  return BigInt((total - (total % PRICE_TOKENS)) / PRICE_TOKENS);
}

function amount(rate: Rate, tokens: number, context: number): bigint {
  return BigInt(tokens) * priceAt(rate, context);
}

function priceAt(rate: Rate, context: number): bigint {
  let [{ nanosPerMtok }] = rate;
  for (let step = 1; step < rate.length; step++) {
    const tier = rate[step];
    if (tier !== undefined && context > tier.above) nanosPerMtok = tier.nanosPerMtok;
  }
  return nanosPerMtok;
}
