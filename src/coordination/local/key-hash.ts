/**
 * The 64-bit xxHash of a text, in two signed halves.
 *
 * An instance is used over and over, so that hashing allocates nothing, and knows the last text it was given:
 * choosing asks about the same conversation once per account.
 */
export class KeyHash {
  low = 0;
  high = 0;
  #text: string | undefined;
  readonly #whole = new BigUint64Array(1);
  readonly #halves = new Int32Array(this.#whole.buffer);

  /** Takes the hash of a text; the halves hold it until the next call. */
  take(text: string): this {
    if (text === this.#text) return this;
    this.#whole[0] = BigInt(Bun.hash.xxHash64(text));
    const [low = 0, high = 0] = this.#halves;
    this.low = low;
    this.high = high;
    this.#text = text;
    return this;
  }
}
