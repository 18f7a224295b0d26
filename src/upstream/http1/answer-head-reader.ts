import { type AnswerHead, readAnswerHead } from "./answer-head.ts";
import { WireError } from "./wire-error.ts";

/** Longest head of an answer with the interim answers before it, in bytes. */
const HEAD_BYTES_MAX = 65_536;
const HEAD_END = "\r\n\r\n";
const LINE_END_LENGTH = 2;
const PROTOCOL = Buffer.from("HTTP/1.", "latin1");
const CARRIAGE_RETURN = 13;
const LINE_FEED = 10;
const SWITCHING_PROTOCOLS = 101;
const FINAL_STATUS_MIN = 200;

/** Finds the head of an answer in what a connection brings. Interim answers (1xx) are passed over. */
export class AnswerHeadReader {
  /** What has come of a head whose end has not, with the interim answers before it. */
  #held: Buffer | undefined;
  #heldBytes = 0;
  /** Where it begins in what is held. */
  #headAt = 0;
  /** Where the body begins in the bytes that were read last. */
  bodyAt = 0;

  /**
   * Takes what came next; the head once it is whole, and then {@link bodyAt} says where in `bytes` it ended. Of a
   * reader that has given a head, nothing is left of it.
   *
   * @throws WireError when this is not the head of an HTTP answer.
   */
  read(bytes: Buffer): AnswerHead | undefined {
    const before = this.#heldBytes;
    const all = this.#held === undefined ? bytes : this.#append(this.#held, bytes);
    let headAt = this.#headAt;
    // The end of the head may have begun in what was there before.
    let searchAt = Math.max(headAt, before - HEAD_END.length + 1);
    for (;;) {
      const end = all.indexOf(HEAD_END, searchAt, "latin1");
      if (end === -1) {
        refuseOther(all, headAt, before);
        this.#hold(all, headAt);
        return undefined;
      }
      const next = end + HEAD_END.length;
      if (next > HEAD_BYTES_MAX) throw new WireError("HPE_HEADER_OVERFLOW");
      const head = readAnswerHead(all.toString("latin1", headAt, end + LINE_END_LENGTH));
      // Switching protocols was not asked for.
      if (head.status === SWITCHING_PROTOCOLS) throw new WireError("HPE_INVALID_STATUS");
      if (head.status >= FINAL_STATUS_MIN) {
        this.bodyAt = next - before;
        this.#letGo();
        return head;
      }
      headAt = next;
      searchAt = next;
    }
  }

  #hold(all: Buffer, headAt: number): void {
    if (all.length >= HEAD_BYTES_MAX) throw new WireError("HPE_HEADER_OVERFLOW");
    this.#headAt = headAt;
    if (this.#held !== undefined) return;
    this.#held = Buffer.allocUnsafe(HEAD_BYTES_MAX);
    this.#append(this.#held, all);
  }

  /** All that is held; what there is no room for is not, and is not part of a head either. */
  #append(held: Buffer, bytes: Buffer): Buffer {
    this.#heldBytes += bytes.copy(held, this.#heldBytes);
    return held.subarray(0, this.#heldBytes);
  }

  #letGo(): void {
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#headAt = 0;
  }
}

/**
 * Does not wait for the end of what is no answer: of another protocol, or with line ends of its own.
 *
 * @throws WireError when it is something else.
 */
function refuseOther(all: Buffer, headAt: number, newAt: number): void {
  const protocol = PROTOCOL.subarray(0, all.length - headAt);
  if (all.compare(protocol, 0, protocol.length, headAt, headAt + protocol.length) !== 0) {
    throw new WireError("HPE_INVALID_CONSTANT");
  }
  for (let at = all.indexOf(LINE_FEED, newAt); at !== -1; at = all.indexOf(LINE_FEED, at + 1)) {
    if (all[at - 1] !== CARRIAGE_RETURN) throw new WireError("HPE_CR_EXPECTED");
  }
}
