const HEAD_END = "\r\n\r\n";
const LINE_END = "\r\n";
const CONTENT_EVENT = "content_block_delta";
const LAST_EVENT = "message_stop";
/** How much of the end of an answer is kept to see whether it was whole, in bytes. */
const TAIL_BYTES = 256;
const NOTHING = Buffer.alloc(0);

/**
 * Reads one HTTP/1.1 answer after the other, with as little work as telling their ends apart takes, so that
 * the generator is never what is measured.
 */
export class AnswerReader {
  /** Of the answer being read; 0 before its head has come. */
  status = 0;
  /** Whether a piece of content of a stream has come. */
  hasContent = false;
  #state: "head" | "length" | "chunk size" | "chunk" | "trailer" = "head";
  #left = 0;
  #isStream = false;
  #unread: Buffer = NOTHING;
  #tail: Buffer = NOTHING;

  /** Takes bytes in and says whether the answer is complete. Bytes beyond its end are a mistake of the server. */
  push(bytes: Buffer): boolean {
    if (this.#state !== "head") this.#look(bytes);
    const all = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    let at = 0;
    while (at >= 0 && at < all.length) {
      const next = this.#step(all, at);
      if (next === "done") return true;
      if (next === at) break;
      at = next;
    }
    this.#unread = at < all.length ? Buffer.from(all.subarray(at)) : NOTHING;
    return false;
  }

  /** Whether the answer was complete in meaning too: a stream must have had its last event. */
  get isWhole(): boolean {
    return !this.#isStream || this.#tail.includes(LAST_EVENT);
  }

  /** Makes ready for the next answer on the same connection. */
  reset(): void {
    this.status = 0;
    this.hasContent = false;
    this.#state = "head";
    this.#isStream = false;
    this.#unread = NOTHING;
    this.#tail = NOTHING;
  }

  #step(all: Buffer, at: number): number | "done" {
    switch (this.#state) {
      case "head":
        return this.#readHead(all, at);
      case "chunk size":
        return this.#readChunkSize(all, at);
      case "trailer":
        return all.length - at >= LINE_END.length ? "done" : at;
      default:
        return this.#skip(all, at);
    }
  }

  #readHead(all: Buffer, at: number): number | "done" {
    const end = all.indexOf(HEAD_END, at);
    if (end === -1) return at;
    const head = all.toString("latin1", at, end).toLowerCase();
    this.status = Number(head.slice("http/1.1 ".length, "http/1.1 ".length + 3));
    this.#isStream = head.includes("text/event-stream");
    const isChunked = head.includes("transfer-encoding: chunked");
    this.#state = isChunked ? "chunk size" : "length";
    this.#left = isChunked ? 0 : Number(/content-length: *(\d+)/.exec(head)?.[1] ?? 0);
    const bodyAt = end + HEAD_END.length;
    if (bodyAt < all.length) this.#look(all.subarray(bodyAt));
    return !isChunked && this.#left === 0 ? "done" : bodyAt;
  }

  #readChunkSize(all: Buffer, at: number): number {
    const end = all.indexOf(LINE_END, at);
    if (end === -1) return at;
    const size = Number.parseInt(all.toString("latin1", at, end), 16);
    this.#left = size + LINE_END.length;
    this.#state = size === 0 ? "trailer" : "chunk";
    return end + LINE_END.length;
  }

  #skip(all: Buffer, at: number): number | "done" {
    const taken = Math.min(this.#left, all.length - at);
    this.#left -= taken;
    if (this.#left > 0) return at + taken;
    if (this.#state === "length") return "done";
    this.#state = "chunk size";
    return at + taken;
  }

  #look(bytes: Buffer): void {
    if (!this.#isStream) return;
    this.hasContent ||= bytes.includes(CONTENT_EVENT);
    const tail = bytes.length >= TAIL_BYTES ? bytes : Buffer.concat([this.#tail, bytes]);
    this.#tail = Buffer.from(tail.subarray(-TAIL_BYTES));
  }
}
