import { VITAL } from "./memory-layout.ts";

/** How much a new sample weighs against all before it. */
const SAMPLE_WEIGHT = 0.2;

/** What is measured of one account, in shared memory. Only reading needs no lock on the account's row. */
export class Measured {
  readonly #numbers: Float64Array;
  readonly #at: number;

  constructor(numbers: Float64Array, at: number) {
    this.#numbers = numbers;
    this.#at = at;
  }

  /** Counts an attempt; `outcome` is 1 for a failure, `firstTokenMs` 0 where it was not measured. */
  sample(outcome: 0 | 1, firstTokenMs: number): void {
    const samples = this.#read("samples");
    this.#write("errorRate", samples === 0 ? outcome : weighted(this.#read("errorRate"), outcome));
    this.#write("samples", samples + 1);
    if (firstTokenMs <= 0) return;
    const before = this.#read("firstTokenMs");
    this.#write("firstTokenMs", before === 0 ? firstTokenMs : weighted(before, firstTokenMs));
  }

  #read(field: keyof typeof VITAL): number {
    return this.#numbers[this.#at + VITAL[field]] ?? 0;
  }

  #write(field: keyof typeof VITAL, value: number): void {
    this.#numbers[this.#at + VITAL[field]] = value;
  }
}

function weighted(before: number, sample: number): number {
  return before + SAMPLE_WEIGHT * (sample - before);
}
