import type { ApiKeyId } from "#domain/ids.ts";

/** Answers of a key and a model that are remembered. */
const OUTPUTS_MAX = 64;
/** Answers below which nothing is said: one short answer says little about the next. */
const OUTPUTS_MIN = 8;
/** Keys and models together whose answers are remembered, about 400 bytes each; the longest unused go first. */
const SERIES_MAX = 10_000;
/** The share of the answers that stay within what is said. */
const PERCENTILE = 0.95;

interface Series {
  readonly tokens: Uint32Array;
  count: number;
  /** Undefined: to be found again. */
  percentile: number | undefined;
}

/** How long the latest answers to each key from each model were. One instance per thread. */
export class OutputHistory {
  /** The one that was used last is the last. */
  readonly #series = new Map<string, Series>();

  /** Remembers how many tokens an answer had. */
  add(key: ApiKeyId, model: string, outputTokens: number): void {
    const name = nameOf(key, model);
    const series = this.#touch(name) ?? this.#begin(name);
    series.tokens[series.count % OUTPUTS_MAX] = outputTokens;
    series.count++;
    series.percentile = undefined;
  }

  /** What 95 of 100 of the last 64 answers stayed within, in tokens; undefined while too few are known. */
  percentile95(key: ApiKeyId, model: string): number | undefined {
    const series = this.#touch(nameOf(key, model));
    if (series === undefined || series.count < OUTPUTS_MIN) return undefined;
    series.percentile ??= percentileOf(series.tokens.slice(0, series.count));
    return series.percentile;
  }

  #touch(name: string): Series | undefined {
    const series = this.#series.get(name);
    if (series === undefined) return undefined;
    this.#series.delete(name);
    this.#series.set(name, series);
    return series;
  }

  #begin(name: string): Series {
    const [longestUnused] = this.#series.keys();
    if (longestUnused !== undefined && this.#series.size >= SERIES_MAX) this.#series.delete(longestUnused);
    const series = { tokens: new Uint32Array(OUTPUTS_MAX), count: 0, percentile: undefined };
    this.#series.set(name, series);
    return series;
  }
}

/** The nearest rank: one of the numbers themselves. */
function percentileOf(tokens: Uint32Array): number | undefined {
  return tokens.sort()[Math.ceil(tokens.length * PERCENTILE) - 1];
}

function nameOf(key: ApiKeyId, model: string): string {
  return `${key} ${model}`;
}
