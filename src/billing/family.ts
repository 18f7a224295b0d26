import type { Platform } from "#domain/platform.ts";
import { catalogueModels, cataloguePrice, type DatedPrice } from "./catalogue.ts";
import type { ModelPrice, Rate } from "./prices.ts";

/** The families that a model's name can show; the first that it contains counts. */
const FAMILIES = ["opus", "fable", "sonnet", "haiku", "gemini"] as const;

/** Models of one kind, of several versions. */
export type Family = (typeof FAMILIES)[number];

/** The family that a model's name in lower case shows; undefined: none. */
export function familyOf(name: string): Family | undefined {
  return FAMILIES.find((word) => name.includes(word));
}

/**
 * The price of the dearest model of a family that the catalogue knows, at a moment (milliseconds since the Unix
 * epoch). Without a family, or where the platform runs none of it, it is the dearest of all that the platform
 * runs. Undefined: the catalogue has no prices for the platform.
 */
export function dearestOf(
  platform: Platform,
  family: Family | undefined,
  atMs: number,
): DatedPrice | undefined {
  const known = catalogueModels(platform);
  const kin = family === undefined ? known : known.filter((id) => id.includes(family));
  const prices = (kin.length === 0 ? known : kin).flatMap((id) => cataloguePrice(platform, id, atMs) ?? []);
  const [dearest] = prices.map(({ price }) => price).sort(byDearness);
  return dearest && { price: dearest, untilMs: Math.min(...prices.map(({ untilMs }) => untilMs)) };
}

/** The dearer one first: by its output, then by its input, then by what the cache costs. */
function byDearness(left: ModelPrice, right: ModelPrice): number {
  const others = steps(right);
  for (const [index, nanos] of steps(left).entries()) {
    const other = others[index] ?? 0n;
    if (nanos !== other) return nanos > other ? -1 : 1;
  }
  return 0;
}

/** The highest and the lowest step of each rate. */
function steps({ output, input, cacheWrite1h, cacheWrite5m, cacheRead }: ModelPrice): readonly bigint[] {
  return [output, input, cacheWrite1h, cacheWrite5m, cacheRead].flatMap((rate: Rate) => [
    rate.at(-1)?.nanosPerMtok ?? 0n,
    rate[0].nanosPerMtok,
  ]);
}
