import type { OpenAnswer } from "#domain/upstream-request.ts";
import type { Awaitable } from "#kernel/awaitable.ts";
import { type HeaderRecord, headerOf } from "#kernel/headers.ts";
import { readBounded } from "./read-bounded.ts";

/** Content codings that are undone while a body is read; anything else stays as it is. Names: RFC 9110 8.4.1. */
const FORMATS: Readonly<Record<string, Bun.CompressionFormat>> = {
  gzip: "gzip",
  "x-gzip": "gzip",
  deflate: "deflate",
  br: "brotli",
  zstd: "zstd",
};

/**
 * The answer without the coding of its body, where it has one that is known, and with headers that describe the body
 * that is read. An unknown coding stays, on the body as in the headers.
 */
export function decoded(answer: OpenAnswer): OpenAnswer {
  const coding = headerOf(answer.headers, "content-encoding");
  if (coding === null) return answer;
  const name = coding.trim().toLowerCase();
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  return format === undefined ? answer : new DecodedAnswer(answer, format);
}

class DecodedAnswer implements OpenAnswer {
  readonly status: number;
  readonly headers: HeaderRecord;
  readonly #answer: OpenAnswer;
  readonly #format: Bun.CompressionFormat;

  constructor(answer: OpenAnswer, format: Bun.CompressionFormat) {
    const { "content-encoding": _, "content-length": __, ...headers } = answer.headers;
    this.status = answer.status;
    this.headers = headers;
    this.#answer = answer;
    this.#format = format;
  }

  /** @throws Fault `upstream.invalid_answer` for a body that is not in its coding too. */
  bytes(bytesMax: number): Awaitable<Uint8Array> {
    return readBounded(this.stream(), bytesMax);
  }

  stream(): ReadableStream<Uint8Array> {
    const coder: ReadableWritablePair = new DecompressionStream(this.#format);
    return this.#answer.stream().pipeThrough(coder);
  }
}
