import { Refusal } from "./refusal.ts";
import { BODY_BYTES_MAX, type BodyFraming } from "./request-head.ts";

/** Gathers one request body from the bytes of a connection. */
export interface BodyCollector {
  /** Takes bytes; gives back those that follow the body once it is complete, else undefined. */
  take(bytes: Buffer): Buffer | undefined;
  /** The body, once complete. */
  body(): Buffer;
}

/** Longest line of chunk size or trailer, in bytes. */
const LINE_BYTES_MAX = 8 * 1024;
const NOTHING = Buffer.alloc(0);

/** A collector for the framing that the head announced. */
export function collectorFor(framing: BodyFraming): BodyCollector {
  return framing.kind === "chunked" ? new ChunkedBody() : new FixedBody(framing.bytes);
}

class FixedBody implements BodyCollector {
  readonly #length: number;
  #body: Buffer | undefined;
  #filled = 0;

  constructor(length: number) {
    this.#length = length;
  }

  /** A body that came in one go is not copied. */
  take(bytes: Buffer): Buffer | undefined {
    const missing = this.#length - this.#filled;
    if (this.#body === undefined && bytes.length >= missing) {
      this.#body = bytes.subarray(0, missing);
      return bytes.subarray(missing);
    }
    this.#body ??= Buffer.allocUnsafe(this.#length);
    this.#filled += bytes.copy(this.#body, this.#filled, 0, missing);
    return this.#filled < this.#length ? undefined : bytes.subarray(missing);
  }

  body(): Buffer {
    return this.#body ?? NOTHING;
  }
}

class ChunkedBody implements BodyCollector {
  readonly #pieces: Buffer[] = [];
  #length = 0;
  #part: "size" | "data" | "data-end" | "trailers" | "done" = "size";
  #left = 0;
  #held: Buffer = NOTHING;

  take(bytes: Buffer): Buffer | undefined {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.#part !== "done") {
      const went = this.#part === "data" ? this.#takeData() : this.#takeLine();
      if (!went) return undefined;
    }
    return this.#held;
  }

  body(): Buffer {
    return Buffer.concat(this.#pieces, this.#length);
  }

  #takeData(): boolean {
    const piece = this.#held.subarray(0, this.#left);
    if (piece.length === 0) return false;
    this.#pieces.push(piece);
    this.#length += piece.length;
    this.#left -= piece.length;
    this.#held = this.#held.subarray(piece.length);
    if (this.#left === 0) this.#part = "data-end";
    return true;
  }

  #takeLine(): boolean {
    const end = this.#held.indexOf("\r\n");
    if (end > LINE_BYTES_MAX || (end === -1 && this.#held.length > LINE_BYTES_MAX)) throw broken();
    if (end === -1) return false;
    const line = this.#held.toString("latin1", 0, end);
    this.#held = this.#held.subarray(end + 2);
    this.#obey(line);
    return true;
  }

  #obey(line: string): void {
    if (this.#part === "trailers") {
      if (line === "") this.#part = "done";
      return;
    }
    if (this.#part === "data-end") {
      if (line !== "") throw broken();
      this.#part = "size";
      return;
    }
    const size = /^([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?$/.exec(line)?.[1];
    if (size === undefined) throw broken();
    this.#left = Number.parseInt(size, 16);
    if (this.#length + this.#left > BODY_BYTES_MAX) throw new Refusal(413);
    this.#part = this.#left === 0 ? "trailers" : "data";
  }
}

function broken(): Refusal {
  return new Refusal(400, "The request's chunked framing is broken");
}
