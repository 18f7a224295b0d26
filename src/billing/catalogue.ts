import { calcPrice, findProvider } from "@pydantic/genai-prices";
import type { Platform } from "#domain/platform.ts";
import { flatRate, type ModelPrice, type Rate } from "./prices.ts";

const NANOS_PER_USD = 1_000_000_000;

/** A price, and until when it is sure to hold. */
export interface DatedPrice {
  readonly price: ModelPrice;
  /** From this moment on another price may hold, in milliseconds since the Unix epoch; infinite for never. */
  readonly untilMs: number;
}

/** Which provider of the catalogue runs a platform's models. */
const PROVIDERS: Readonly<Record<Platform, string>> = {
  anthropic: "anthropic",
  gemini: "google",
  antigravity: "google",
  openai: "openai",
};

/**
 * What a model costs at a moment (milliseconds since the Unix epoch), by the catalogue that
 * `@pydantic/genai-prices` carries. Its rules say which dated names and aliases are the same model. Undefined:
 * the catalogue does not know the model, or does not say what its input and its output cost.
 */
export function cataloguePrice(platform: Platform, model: string, atMs: number): DatedPrice | undefined {
  const found = calcPrice({}, model, { providerId: PROVIDERS[platform], timestamp: new Date(atMs) });
  if (found === null || isOtherVersion(model, found.model.id)) return undefined;
  const price = readPrice(found.model_price);
  return price && { price, untilMs: validUntil(found.model, atMs) };
}

/** Every model whose price the catalogue knows for a platform, by its name there. */
export function catalogueModels(platform: Platform): readonly string[] {
  const provider = findProvider({ providerId: PROVIDERS[platform] });
  const others = (provider?.fallback_model_providers ?? []).map((providerId) => findProvider({ providerId }));
  return [provider, ...others].flatMap((known) => known?.models.map(({ id }) => id) ?? []);
}

/** Before the family (`claude-3-5-haiku`) or after it (`claude-haiku-4-5`); what follows may be a date. */
const CLAUDE_VERSION = /^claude-(?:[a-z]+-)?(\d+)(?:[.-](\d{1,2}))?(?!\d)/;

/**
 * Whether two names of Claude models have different versions. The catalogue goes by how a name begins, and so
 * takes `claude-opus-4-10` for Opus 4.1 and a newer `claude-sonnet-5-5` for Sonnet 5. Claude 2 and older, where
 * one price was for all of `claude-2.x`, are left to the catalogue.
 */
function isOtherVersion(asked: string, known: string): boolean {
  const [left, right] = [asked, known].map((name) => CLAUDE_VERSION.exec(name.trim().toLowerCase()));
  if (!left || !right || right[1] === "2") return false;
  return left[1] !== right[1] || Number(left[2] ?? 0) !== Number(right[2] ?? 0);
}

type Found = NonNullable<ReturnType<typeof calcPrice>>;

/** A kind of cached token that has no price of its own is billed as input, as the catalogue's own rules have it. */
function readPrice(prices: Found["model_price"]): ModelPrice | undefined {
  const input = readRate(prices["input_mtok"]);
  const output = readRate(prices["output_mtok"]);
  if (input === undefined || output === undefined) return undefined;
  const cacheWrite5m = readRate(prices["cache_write_mtok"]) ?? input;
  return {
    input,
    output,
    cacheWrite5m,
    cacheWrite1h: readRate(prices["cache_write_1h_mtok"]) ?? cacheWrite5m,
    cacheRead: readRate(prices["cache_read_mtok"]) ?? input,
    requestNanos: 0n,
  };
}

function readRate(price: Found["model_price"][string]): Rate | undefined {
  if (price === undefined) return undefined;
  if (typeof price === "number") return flatRate(toNanos(price));
  const tiers = price.tiers
    .map((tier) => ({ above: tier.start, nanosPerMtok: toNanos(tier.price) }))
    .sort((left, right) => left.above - right.above);
  return [{ above: -1, nanosPerMtok: toNanos(price.base) }, ...tiers];
}

/** The first moment after the given one at which the catalogue could name another price. */
function validUntil({ prices }: Found["model"], atMs: number): number {
  if (!Array.isArray(prices)) return Number.POSITIVE_INFINITY;
  const changes = prices.map(({ constraint }) => {
    if (constraint === undefined) return Number.POSITIVE_INFINITY;
    // A price that depends on the hour is asked for each time.
    return constraint.type === "start_date" ? Date.parse(constraint.start_date) : atMs;
  });
  return Math.min(...changes.filter((changeMs) => changeMs >= atMs), Number.POSITIVE_INFINITY);
}

function toNanos(usd: number): bigint {
  return BigInt(Math.round(usd * NANOS_PER_USD));
}
