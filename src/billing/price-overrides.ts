import { longestMatch } from "#domain/model-mapping.ts";
import type { PriceOverride } from "#domain/settings.ts";
import { flatRate, type ModelPrice, roundedQuotient } from "./prices.ts";

/** The entry for every model that nothing else has a price for. */
const ANY_MODEL = "*";

/** The prices of the setting `model_prices`. */
export class PriceOverrides {
  readonly #byModel: Readonly<Record<string, ModelPrice>>;
  /** What a model costs that neither another entry nor the catalogue knows; undefined: nothing is said. */
  readonly anyOther: ModelPrice | undefined;

  constructor(entries: readonly PriceOverride[]) {
    const prices = new Map(entries.map((entry) => [entry.model.toLowerCase(), priceFrom(entry)]));
    this.anyOther = prices.get(ANY_MODEL);
    prices.delete(ANY_MODEL);
    this.#byModel = Object.fromEntries(prices);
  }

  /** The price of a model by its name in lower case: its own, else that of the longest pattern that fits. */
  find(name: string): ModelPrice | undefined {
    return longestMatch(this.#byModel, name);
  }
}

/**
 * A kind of cached token without a price of its own has the usual share of the input's: 1.25 for a write of
 * five minutes, 2 for one of an hour, 0.1 for a read. Source:
 * https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing
 */
function priceFrom(entry: PriceOverride): ModelPrice {
  const input = entry.inputNanos;
  return {
    input: flatRate(input),
    output: flatRate(entry.outputNanos),
    cacheWrite5m: flatRate(entry.cacheWrite5mNanos ?? roundedQuotient(input * 5n, 4n)),
    cacheWrite1h: flatRate(entry.cacheWrite1hNanos ?? input * 2n),
    cacheRead: flatRate(entry.cacheReadNanos ?? roundedQuotient(input, 10n)),
    requestNanos: entry.requestNanos ?? 0n,
  };
}
