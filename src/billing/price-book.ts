import type { Platform } from "#domain/platform.ts";
import type { RuntimeSettings } from "#domain/settings.ts";
import type { Clock } from "#kernel/clock.ts";
import { cataloguePrice, type DatedPrice } from "./catalogue.ts";
import { dearestOf, familyOf } from "./family.ts";
import { PriceOverrides } from "./price-overrides.ts";
import type { ModelPrice } from "./prices.ts";

/** Most prices of a platform that are remembered, more than any catalogue lists; made-up names cannot fill memory. */
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
  /** By platform and the very name that a request gave, so that most names need not be made even. */
  readonly #models = new Map<Platform, Map<string, DatedPrice>>();
  /** By platform and family. */
  readonly #families = new Map<string, DatedPrice>();
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
    return (
      this.#named(platform, model) ?? this.#overrides.anyOther ?? this.#guessed(platform, evenName(model))
    );
  }

  #readSettings(): void {
    const settings = this.#options.settings();
    if (settings === this.#settings) return;
    this.#settings = settings;
    this.#overrides = new PriceOverrides(settings.model_prices);
    this.#models.clear();
    this.#families.clear();
  }

  /** The price that a model has by its name. */
  #named(platform: Platform, model: string): ModelPrice | undefined {
    const nowMs = this.#options.clock.now();
    const kept = this.#models.get(platform)?.get(model);
    if (kept !== undefined && nowMs < kept.untilMs) return kept.price;
    const name = evenName(model);
    const found = undated(this.#overrides.find(name)) ?? cataloguePrice(platform, name, nowMs);
    if (found !== undefined && model.length <= KEPT_NAME_LENGTH_MAX) this.#keepModel(platform, model, found);
    return found?.price;
  }

  #keepModel(platform: Platform, model: string, price: DatedPrice): void {
    const kept = this.#models.get(platform);
    if (kept === undefined || kept.size >= KEPT_MAX) this.#models.set(platform, new Map([[model, price]]));
    else kept.set(model, price);
  }

  /** The price that `unknown_model_price` gives to a model without one. */
  #guessed(platform: Platform, name: string): ModelPrice | undefined {
    if (this.#settings?.unknown_model_price !== "family_max") return undefined;
    const family = familyOf(name);
    const key = `${platform} ${family ?? ""}`;
    const nowMs = this.#options.clock.now();
    const kept = this.#families.get(key);
    if (kept !== undefined && nowMs < kept.untilMs) return kept.price;
    const found = dearestOf(platform, family, nowMs);
    if (found !== undefined) this.#families.set(key, found);
    return found?.price;
  }
}

/** Names differ in nothing by their case and the space around them. */
function evenName(model: string): string {
  return model.trim().toLowerCase();
}

function undated(price: ModelPrice | undefined): DatedPrice | undefined {
  return price && { price, untilMs: Number.POSITIVE_INFINITY };
}
