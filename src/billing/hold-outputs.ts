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
  /**
   * Those used lately, and those used before; when there are many of the former they become the latter. Nothing is
   * taken out one by one: a map that entries pass through keeps the garbage collector busy.
   */
  #late = new Map<string, Series>();
  #earlier: ReadonlyMap<string, Series> = new Map();

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
    const late = this.#late.get(name);
    if (late !== undefined) return late;
    const earlier = this.#earlier.get(name);
    if (earlier !== undefined) this.#keep(name, earlier);
    return earlier;
  }

  #begin(name: string): Series {
    const series = { tokens: new Uint32Array(OUTPUTS_MAX), count: 0, percentile: undefined };
    this.#keep(name, series);
    return series;
  }

  #keep(name: string, series: Series): void {
    if (this.#late.size >= SERIES_MAX / 2) {
      this.#earlier = this.#late;
      this.#late = new Map();
    }
    this.#late.set(name, series);
  }
}

/** The nearest rank: one of the numbers themselves. */
function percentileOf(tokens: Uint32Array): number | undefined {
  return tokens.sort()[Math.ceil(tokens.length * PERCENTILE) - 1];
}

function nameOf(key: ApiKeyId, model: string): string {
  return `${key} ${model}`;
}
