const LF = 10;
const CR = 13;

/** Longest unfinished event that is held back, in bytes; a longer one is passed on as it comes. */
const HELD_BYTES_MAX = 1_048_576;

/**
 * Keeps the unfinished end of an event stream back until it is finished.
 *
 * A reader of server-sent events can do nothing with half an event, so nothing is lost by waiting, and a
 * stream that breaks can then be ended with an error event of its own that no half line spoils. Chunks
 * are passed on as views, never copied or joined; nearly every chunk ends with an event and passes whole.
 */
export class EventBoundary {
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #last = 0;
  #beforeLast = 0;
  #isAtBoundary = true;

  /** Whether what was passed on ends with an event, so that another one can follow it. True at the start. */
  get isAtBoundary(): boolean {
    return this.#isAtBoundary;
  }

  /** Takes one chunk and returns what may be passed on now, in order. */
  split(chunk: Uint8Array): readonly Uint8Array[] {
    const end = this.#lastBoundary(chunk);
    this.#remember(chunk);
    if (end === 0) return this.#hold(chunk);
    const finished = end === chunk.length ? chunk : chunk.subarray(0, end);
    const passed = this.#heldBytes === 0 ? [finished] : [...this.#held, finished];
    this.#held = [];
    this.#heldBytes = 0;
    this.#isAtBoundary = true;
    return end < chunk.length ? [...passed, ...this.#hold(chunk.subarray(end))] : passed;
  }

  /** Hands over what is still held back: the beginning of an event. */
  flush(): readonly Uint8Array[] {
    const held = this.#held;
    this.#held = [];
    this.#heldBytes = 0;
    if (held.length > 0) this.#isAtBoundary = false;
    return held;
  }

  #hold(bytes: Uint8Array): readonly Uint8Array[] {
    if (bytes.length > 0) this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    return this.#heldBytes > HELD_BYTES_MAX ? this.flush() : [];
  }

  /** Index after the last blank line that ends in this chunk; 0 when none does. */
  #lastBoundary(chunk: Uint8Array): number {
    for (let at = chunk.length - 1; at >= 0; at--) {
      if (chunk[at] === LF && this.#isBlankLine(chunk, at)) return at + 1;
    }
    return 0;
  }

  #isBlankLine(chunk: Uint8Array, at: number): boolean {
    const before = this.#byteAt(chunk, at - 1);
    return before === LF || (before === CR && this.#byteAt(chunk, at - 2) === LF);
  }

  #byteAt(chunk: Uint8Array, at: number): number | undefined {
    if (at >= 0) return chunk[at];
    return at === -1 ? this.#last : this.#beforeLast;
  }

  #remember(chunk: Uint8Array): void {
    const last = chunk.at(-1);
    if (last === undefined) return;
    this.#beforeLast = chunk.at(-2) ?? this.#last;
    this.#last = last;
  }
}
