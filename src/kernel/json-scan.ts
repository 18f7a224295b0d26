/** Where a value stands in a JSON text: from its first byte to the one after its last. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** The text nests deeper than allowed. */
export class TooDeep extends Error {
  constructor(depthMax: number) {
    super(`nests deeper than ${depthMax} levels`);
    this.name = "TooDeep";
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const COMMA = 0x2c;
const COLON = 0x3a;
const SPACE = 0x20;

const utf8 = new TextEncoder();

/**
 * Finds where one field of a top-level object stands, without building a tree: looks only at structure and
 * jumps over strings. Of duplicate keys the last one counts, as in `JSON.parse`; keys written with escapes
 * are understood. The text is not validated: for a text that `JSON.parse` refuses, the result means nothing.
 *
 * @returns undefined when there is no such field.
 * @throws TooDeep before anything could be built from the text.
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: one flat loop over bytes is the hot path of every large body.
export function findField(text: Uint8Array, name: string, depthMax: number): ByteRange | undefined {
  const scan = new FieldScan(text, name);
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at];
    if (byte === QUOTE) {
      const end = stringEnd(text, at);
      if (depth === 1) scan.string(at, end);
      at = end - 1;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      if (++depth > depthMax) throw new TooDeep(depthMax);
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (--depth === 0) scan.endOfValue(at);
    } else if (depth === 1) scan.punctuation(byte, at);
  }
  return scan.found;
}

/** What goes on at the first level of the text. */
class FieldScan {
  found: ByteRange | undefined;
  readonly #text: Uint8Array;
  readonly #name: string;
  readonly #nameBytes: Uint8Array;
  #isWanted = false;
  /** -1 while a key is awaited. */
  #valueStart = -1;

  constructor(text: Uint8Array, name: string) {
    this.#text = text;
    this.#name = name;
    this.#nameBytes = utf8.encode(name);
  }

  string(start: number, end: number): void {
    if (this.#valueStart !== -1) return;
    const key = this.#text.subarray(start + 1, end - 1);
    this.#isWanted = isSame(key, this.#nameBytes) || isEscaped(key, this.#name);
  }

  punctuation(byte: number | undefined, at: number): void {
    if (byte === COLON) this.#valueStart = skipSpace(this.#text, at + 1);
    else if (byte === COMMA) this.endOfValue(at);
  }

  endOfValue(at: number): void {
    if (this.#isWanted && this.#valueStart !== -1) {
      this.found = { start: this.#valueStart, end: trimEnd(this.#text, at) };
    }
    this.#isWanted = false;
    this.#valueStart = -1;
  }
}

/** Replaces the bytes of one range; the rest is copied as it is. */
export function splice(text: Uint8Array, { start, end }: ByteRange, replacement: Uint8Array): Uint8Array {
  const spliced = new Uint8Array(text.length - (end - start) + replacement.length);
  spliced.set(text.subarray(0, start));
  spliced.set(replacement, start);
  spliced.set(text.subarray(end), start + replacement.length);
  return spliced;
}

/** Index after the closing quote of the string that opens at `start`. */
function stringEnd(text: Uint8Array, start: number): number {
  for (let quote = text.indexOf(QUOTE, start + 1); quote !== -1; quote = text.indexOf(QUOTE, quote + 1)) {
    let slash = quote;
    while (text[slash - 1] === BACKSLASH) slash--;
    if ((quote - slash) % 2 === 0) return quote + 1;
  }
  return text.length;
}

/** Compares bytes, because decoding every key would cost more than finding them. */
function isSame(key: Uint8Array, name: Uint8Array): boolean {
  return key.length === name.length && key.every((byte, index) => byte === name[index]);
}

/** Whether a key that is written with escapes means the name. */
function isEscaped(key: Uint8Array, name: string): boolean {
  if (!key.includes(BACKSLASH)) return false;
  try {
    return JSON.parse(`"${new TextDecoder().decode(key)}"`) === name;
  } catch {
    // A key that is no valid string is no wanted one; the parser refuses the text.
    return false;
  }
}

function skipSpace(text: Uint8Array, from: number): number {
  let at = from;
  while ((text[at] ?? COMMA) <= SPACE) at++;
  return at;
}

function trimEnd(text: Uint8Array, from: number): number {
  let at = from;
  while ((text[at - 1] ?? COMMA) <= SPACE) at--;
  return at;
}
