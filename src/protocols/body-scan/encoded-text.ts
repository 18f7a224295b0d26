import type { ByteRange } from "#kernel/json-scan.ts";
import { borrow, type UnescapedText, unescapeText } from "./scanner.ts";

const utf8Encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** A text to be searched: a string, or one that has stayed in its body. */
export type Text = string | EncodedText;

/** Whether a value is a text. */
export function isText(value: unknown): value is Text {
  return typeof value === "string" || value instanceof EncodedText;
}

function isString(text: Text): text is string {
  return typeof text === "string";
}

/** Whether two texts are the same. The wanted one must be ASCII. */
export function isSameText(text: Text, wanted: string): boolean {
  return text.length === wanted.length && text.startsWith(wanted);
}

/** xxHash64 (seed 0) of the UTF-8 of texts in a row; half a surrogate pair is U+FFFD there. */
export function hashOfTexts(texts: readonly Text[]): bigint {
  if (texts.every(isString)) return Bun.hash.xxHash64(texts.join(""));
  const isJoinable = texts.every((text) =>
    typeof text === "string" ? text.isWellFormed() : !text.hasLoneSurrogate,
  );
  // Halves of one pair, at the end of one text and at the beginning of the next, are whole once joined.
  if (!isJoinable) return Bun.hash.xxHash64(texts.map(String).join(""));
  const parts = texts.map((text) => (typeof text === "string" ? utf8Encoder.encode(text) : text.bytes));
  const joined = borrow(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return Bun.hash.xxHash64(joined);
}

/** A string of a body that was checked, read only when it is asked for, and as UTF-8 where that is enough. */
export class EncodedText {
  readonly #body: Uint8Array;
  readonly #range: ByteRange;
  #unescaped: UnescapedText | undefined;

  /** @param range of the string in the body, quotes included. */
  constructor(body: Uint8Array, range: ByteRange) {
    this.#body = body;
    this.#range = range;
  }

  /** In bytes of UTF-8. */
  get length(): number {
    return this.bytes.length;
  }

  /** As UTF-8; half a surrogate pair is U+FFFD. */
  get bytes(): Buffer {
    return this.#meaning.bytes;
  }

  /** It holds half a surrogate pair, so that its UTF-8 is not all there is to it. */
  get hasLoneSurrogate(): boolean {
    return this.#meaning.hasLoneSurrogate;
  }

  /** Whether the text begins with this, which must be ASCII. */
  startsWith(wanted: string): boolean {
    const { bytes } = this;
    if (bytes.length < wanted.length) return false;
    for (let index = 0; index < wanted.length; index++) {
      if (bytes[index] !== wanted.charCodeAt(index)) return false;
    }
    return true;
  }

  /** Whether this, which must be ASCII, stands in the text. */
  includes(wanted: string): boolean {
    return this.bytes.length >= wanted.length && this.bytes.includes(wanted);
  }

  /** The text as a string, as `JSON.parse` reads it. */
  toString(): string {
    return JSON.parse(utf8.decode(this.#body.subarray(this.#range.start, this.#range.end)));
  }

  get #meaning(): UnescapedText {
    this.#unescaped ??= unescapeText(this.#body, this.#range);
    return this.#unescaped;
  }
}
