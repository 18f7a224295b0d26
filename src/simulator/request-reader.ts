import { Refusal } from "./refusal.ts";
import { type BodyCollector, collectorFor } from "./request-body.ts";
import { type RequestHead, readHead } from "./request-head.ts";

/** A complete HTTP request. */
export interface IncomingRequest {
  readonly head: RequestHead;
  readonly body: Buffer;
}

/** Longest request head, in bytes. */
const HEAD_BYTES_MAX = 64 * 1024;
/** Most bytes that may wait unread, such as those a client sends ahead while it is being answered. */
const UNREAD_BYTES_MAX = 4 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** Cuts the bytes of one connection into HTTP/1.1 requests, however they arrive. */
export class RequestReader {
  readonly #onContinue: () => void;
  #unread: Buffer = NOTHING;
  #head: RequestHead | undefined;
  #collector: BodyCollector | undefined;

  /** `onContinue` is called when a client waits for leave to send its body (`Expect: 100-continue`). */
  constructor(onContinue: () => void) {
    this.#onContinue = onContinue;
  }

  /**
   * Takes what arrived, to be read by {@link next}.
   *
   * @throws Refusal when more is waiting than a connection may send ahead.
   */
  push(bytes: Buffer): void {
    this.#unread = this.#unread.length === 0 ? bytes : Buffer.concat([this.#unread, bytes]);
    if (this.#unread.length > UNREAD_BYTES_MAX) throw new Refusal(413);
  }

  /**
   * The next request, when all of it is here.
   *
   * @throws Refusal when the bytes are not HTTP; nothing more can be read from the connection then.
   */
  next(): IncomingRequest | undefined {
    const isFresh = this.#head === undefined;
    this.#head ??= this.#takeHead();
    if (this.#head === undefined) return undefined;
    this.#collector ??= collectorFor(this.#head.framing);
    const rest = this.#collector.take(this.#unread);
    this.#unread = rest ?? NOTHING;
    if (rest === undefined) {
      if (isFresh && this.#head.expectsContinue) this.#onContinue();
      return undefined;
    }
    const request = { head: this.#head, body: this.#collector.body() };
    this.#head = undefined;
    this.#collector = undefined;
    return request;
  }

  #takeHead(): RequestHead | undefined {
    const end = this.#unread.indexOf("\r\n\r\n");
    if (end > HEAD_BYTES_MAX || (end === -1 && this.#unread.length > HEAD_BYTES_MAX)) {
      throw new Refusal(431, "The request's headers are too long");
    }
    if (end === -1) return undefined;
    const head = readHead(this.#unread.toString("latin1", 0, end));
    this.#unread = this.#unread.subarray(end + 4);
    return head;
  }
}
