import { QUARTER_MS, QUARTERS_KEPT_MS } from "#domain/quarter-spend.ts";

const QUARTERS_MAX = QUARTERS_KEPT_MS / QUARTER_MS;

/**
 * What one account has cost over time, as running sums, so that the cost of any window is one subtraction.
 * Amounts are nano-dollars. Of quarters that are no longer kept apart only the sum is known.
 */
export class SpendHistory {
  /** Quarters with a cost, in rising order. */
  readonly #quarters: number[] = [];
  /** The cost up to the end of each quarter, everything before it included. */
  readonly #sums: number[] = [];
  /** The cost of all quarters before {@link #apartFromMs}. */
  #olderNanos: number;
  #apartFromMs: number;

  /** @param olderNanos the cost of all quarters that began before `apartFromMs`, from which on they are told apart. */
  constructor(olderNanos: number, apartFromMs: number) {
    this.#olderNanos = olderNanos;
    this.#apartFromMs = apartFromMs;
  }

  /** All that the account has cost. */
  get totalNanos(): number {
    return this.#sums.at(-1) ?? this.#olderNanos;
  }

  /**
   * Takes over what a quarter has cost altogether, and returns how much more that is than was known. Quarters
   * only ever grow, so an older state of one changes nothing. Of a quarter that is not told apart any more the
   * known part is not known, and it is left as it is.
   */
  record(quarterMs: number, costNanos: number): number {
    if (quarterMs < this.#apartFromMs) return 0;
    const at = this.#firstFrom(quarterMs);
    const isKnown = this.#quarters[at] === quarterMs;
    const sumBefore = this.#sumBefore(at);
    const added = costNanos - (isKnown ? this.#sumBefore(at + 1) - sumBefore : 0);
    if (added <= 0) return 0;
    if (!isKnown) {
      this.#quarters.splice(at, 0, quarterMs);
      this.#sums.splice(at, 0, sumBefore);
    }
    for (let index = at; index < this.#sums.length; index++) {
      this.#sums[index] = this.#sumBefore(index + 1) + added;
    }
    if (this.#quarters.length > QUARTERS_MAX) this.#mergeOldest();
    return added;
  }

  /** What the quarters that began before a moment have cost. */
  costBefore(ms: number): number {
    return this.#sumBefore(this.#firstFrom(ms));
  }

  /** The beginning of the last quarter from which on, itself included, the cost is at a limit or above it. */
  lastQuarterAt(limitNanos: number): number | undefined {
    const { totalNanos } = this;
    const at = this.#quarters.findLastIndex((_, index) => totalNanos - this.#sumBefore(index) >= limitNanos);
    return this.#quarters[at];
  }

  #sumBefore(index: number): number {
    return this.#sums[index - 1] ?? this.#olderNanos;
  }

  /** The index of the first quarter that began at or after a moment; one past the last when there is none. */
  #firstFrom(ms: number): number {
    let low = 0;
    let high = this.#quarters.length;
    // Most questions are about what comes last.
    if ((this.#quarters[high - 1] ?? Number.NEGATIVE_INFINITY) < ms) return high;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#quarters[middle] ?? 0) < ms) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #mergeOldest(): void {
    const oldest = this.#quarters.shift() ?? 0;
    this.#olderNanos = this.#sums.shift() ?? this.#olderNanos;
    this.#apartFromMs = oldest + QUARTER_MS;
  }
}
