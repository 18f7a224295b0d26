import type { Platform } from "#domain/platform.ts";
import type { RuntimeSettings } from "#domain/settings.ts";
import type { Clock } from "#kernel/clock.ts";
import { cataloguePrice, type DatedPrice } from "./catalogue.ts";
import { dearestOf, familyOf } from "./family.ts";
import { PriceOverrides } from "./price-overrides.ts";
import type { ModelPrice } from "./prices.ts";

/** Most prices that are remembered, more than any catalogue lists; made-up names cannot fill memory. */
const KEPT_MAX = 2_000;

/** Longest name whose price is remembered, in UTF-16 units; no model has one as long. */
const KEPT_NAME_LENGTH_MAX = 200;

/** What a {@link PriceBook} works with. */
export interface PriceBookOptions {
  /** The settings as they are now; another object once any of them has changed. */
  readonly settings: () => RuntimeSettings;
  readonly clock: Pick<Clock, "now">;
}

/**
 * What models cost now. The first that has a price decides: the setting `model_prices`, the catalogue, the
 * setting's entry for any other model, and `unknown_model_price`. One instance per thread.
 */
export class PriceBook {
  readonly #options: PriceBookOptions;
  readonly #kept = new Map<string, DatedPrice>();
  #settings: RuntimeSettings | undefined;
  #overrides = new PriceOverrides([]);

  constructor(options: PriceBookOptions) {
    this.#options = options;
  }

  /**
   * What a model costs at this moment; undefined when nothing has a price for it. A request that keeps what it
   * was given here is billed by it with `costOf`, whatever changes while it runs.
   */
  priceOf(platform: Platform, model: string): ModelPrice | undefined {
    this.#readSettings();
    const name = model.trim().toLowerCase();
    return this.#named(platform, name) ?? this.#overrides.anyOther ?? this.#guessed(platform, name);
  }

  #readSettings(): void {
    const settings = this.#options.settings();
    if (settings === this.#settings) return;
    this.#settings = settings;
    this.#overrides = new PriceOverrides(settings.model_prices);
    this.#kept.clear();
  }

  /** The price that a model has by its name. */
  #named(platform: Platform, name: string): ModelPrice | undefined {
    const find = (nowMs: number): DatedPrice | undefined =>
      undated(this.#overrides.find(name)) ?? cataloguePrice(platform, name, nowMs);
    if (name.length > KEPT_NAME_LENGTH_MAX) return find(this.#options.clock.now())?.price;
    return this.#recall(`model ${platform} ${name}`, find);
  }

  /** The price that `unknown_model_price` gives to a model without one. */
  #guessed(platform: Platform, name: string): ModelPrice | undefined {
    if (this.#settings?.unknown_model_price !== "family_max") return undefined;
    const family = familyOf(name);
    return this.#recall(`family ${platform} ${family ?? ""}`, (nowMs) => dearestOf(platform, family, nowMs));
  }

  /** What was found under a key before, as long as it holds; else it is looked for again. */
  #recall(key: string, find: (nowMs: number) => DatedPrice | undefined): ModelPrice | undefined {
    const nowMs = this.#options.clock.now();
    const kept = this.#kept.get(key);
    if (kept !== undefined && nowMs < kept.untilMs) return kept.price;
    const found = find(nowMs);
    if (found === undefined) return undefined;
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(key, found);
    return found.price;
  }
}

function undated(price: ModelPrice | undefined): DatedPrice | undefined {
  return price && { price, untilMs: Number.POSITIVE_INFINITY };
}
