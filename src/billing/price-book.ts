import { calcPrice } from "@pydantic/genai-prices";
import type { Platform } from "#domain/platform.ts";
import type { TokenUsage } from "#domain/usage-record.ts";

/** Prices are kept as nano-dollars per million tokens, so that every published price is a whole number. */
const TOKENS_PER_PRICE = 1_000_000n;
const NANOS_PER_USD = 1_000_000_000;
const MULTIPLIER_ONE = 1_000_000_000n;

/** Models whose prices are remembered; more than any catalogue lists, so that made-up names cannot fill memory. */
const KNOWN_MODELS_MAX = 2_000;

interface Tier {
  /** The price holds for requests with more input tokens than this. */
  readonly above: number;
  readonly nanos: bigint;
}

/** Tiers in rising order; the first one starts below zero. */
type Rate = readonly Tier[];

interface ModelRates {
  readonly input: Rate;
  readonly output: Rate;
  readonly cacheWrite5m: Rate;
  readonly cacheWrite1h: Rate;
  readonly cacheRead: Rate;
}

const FREE: Rate = [{ above: -1, nanos: 0n }];

/** What the models of the catalogue cost. One instance per thread. */
export class PriceBook {
  readonly #rates = new Map<string, ModelRates | undefined>();

  /**
   * The cost of a request in nano-dollars, rounded to the nearest one; undefined when the model is unknown.
   *
   * @param multiplierNanos the group's rate multiplier, where 1_000_000_000n is 1.0; 0n makes it free.
   */
  cost(platform: Platform, model: string, usage: TokenUsage, multiplierNanos: bigint): bigint | undefined {
    const rates = this.#ratesOf(platform, model);
    if (rates === undefined) return undefined;
    const context = usage.inputTokens + usage.cacheCreationTokens + usage.cacheReadTokens;
    const total =
      amount(rates.input, usage.inputTokens, context) +
      amount(rates.output, usage.outputTokens, context) +
      amount(rates.cacheWrite5m, usage.cacheCreation5mTokens, context) +
      amount(rates.cacheWrite1h, usage.cacheCreation1hTokens, context) +
      amount(rates.cacheRead, usage.cacheReadTokens, context);
    return roundedQuotient(total * multiplierNanos, TOKENS_PER_PRICE * MULTIPLIER_ONE);
  }

  #ratesOf(platform: Platform, model: string): ModelRates | undefined {
    const key = `${platform} ${model}`;
    if (this.#rates.has(key)) return this.#rates.get(key);
    const rates = readRates(platform, model);
    if (this.#rates.size >= KNOWN_MODELS_MAX) this.#rates.clear();
    this.#rates.set(key, rates);
    return rates;
  }
}

/** Which provider of the price catalogue runs a platform's models. */
const PROVIDERS: Readonly<Record<Platform, string>> = {
  anthropic: "anthropic",
  gemini: "google",
  antigravity: "google",
  openai: "openai",
};

/** Source of the prices: the catalogue that `@pydantic/genai-prices` carries. */
function readRates(platform: Platform, model: string): ModelRates | undefined {
  const prices = calcPrice({ input_tokens: 1 }, model, { providerId: PROVIDERS[platform] })?.model_price;
  if (prices === undefined) return undefined;
  const input = rate(prices["input_mtok"]) ?? FREE;
  const cacheWrite = rate(prices["cache_write_mtok"]) ?? input;
  return {
    input,
    output: rate(prices["output_mtok"]) ?? FREE,
    cacheWrite5m: cacheWrite,
    cacheWrite1h: rate(prices["cache_write_1h_mtok"]) ?? cacheWrite,
    cacheRead: rate(prices["cache_read_mtok"]) ?? input,
  };
}

type CataloguePrice = NonNullable<ReturnType<typeof calcPrice>>["model_price"][string];

function rate(price: CataloguePrice): Rate | undefined {
  if (price === undefined) return undefined;
  if (typeof price === "number") return [{ above: -1, nanos: toNanos(price) }];
  const tiers = price.tiers.map((tier) => ({ above: tier.start, nanos: toNanos(tier.price) }));
  return [{ above: -1, nanos: toNanos(price.base) }, ...tiers];
}

function toNanos(usd: number): bigint {
  return BigInt(Math.round(usd * NANOS_PER_USD));
}

function amount(rate: Rate, tokens: number, context: number): bigint {
  if (tokens === 0) return 0n;
  const tier = rate.findLast(({ above }) => context > above);
  return BigInt(tokens) * (tier?.nanos ?? 0n);
}

function roundedQuotient(dividend: bigint, divisor: bigint): bigint {
  return (dividend * 2n + divisor) / (divisor * 2n);
}
