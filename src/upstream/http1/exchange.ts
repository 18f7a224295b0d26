import type { OpenAnswer } from "#domain/upstream-request.ts";
import type { Awaitable } from "#kernel/awaitable.ts";
import type { CancelListener, Cancellation } from "#kernel/cancellation.ts";
import type { CohortMember, Cohorts } from "#kernel/cohorts.ts";
import { Fault } from "#kernel/fault.ts";
import type { HeaderRecord } from "#kernel/headers.ts";
import type { AnswerHead } from "./answer-head.ts";

/** How much of a body is held before anybody has asked for it, in bytes; then its connection is read no further. */
const HELD_BYTES_MAX = 262_144;
/** How much of a stream may wait for its reader, in bytes. */
const STREAM_LEAD_BYTES_MAX = 65_536;
const STREAM_LEAD = new ByteLengthQueuingStrategy({ highWaterMark: STREAM_LEAD_BYTES_MAX });

const NO_HEADERS: HeaderRecord = {};
const NOTHING = new Uint8Array(0);

/** What an exchange asks of its connection. */
export interface Wire {
  /** Reads nothing more until {@link resume}, so that the upstream has to wait. */
  pause(): void;
  resume(): void;
  /** Closes the connection at once. */
  drop(): void;
}

/**
 * One request on one connection, and the answer to it. Ends in one of three ways: the answer is whole, the
 * connection fails, or it is cancelled, which closes the connection. What ends first counts.
 */
export class Exchange implements OpenAnswer, CancelListener, CohortMember {
  status = 0;
  headers: HeaderRecord = NO_HEADERS;
  /** Fulfilled with the answer once its head is there; rejects with what kept it from coming. */
  readonly answered: Promise<Exchange>;
  readonly #answer: (exchange: Exchange) => void;
  readonly #fail: (failure: unknown) => void;
  readonly #wire: Wire;
  readonly #cancellation: Cancellation;
  readonly #answers: Cohorts;
  /** Parts of the body that nobody has taken yet. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** How much may be held now. */
  #holdMax = HELD_BYTES_MAX;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Whoever collects the body is told of more of it, and of its end. */
  #onMore: (() => void) | undefined;
  #isWhole = false;
  #failure: unknown;
  #isOver = false;

  /** @param answers requests whose answers have begun go on together. */
  constructor(wire: Wire, cancellation: Cancellation, answers: Cohorts) {
    const { promise, resolve, reject } = Promise.withResolvers<Exchange>();
    this.answered = promise;
    this.#answer = resolve;
    this.#fail = reject;
    this.#wire = wire;
    this.#cancellation = cancellation;
    this.#answers = answers;
    cancellation.listener = this;
  }

  bytes(bytesMax: number): Awaitable<Uint8Array> {
    const isHere = this.#isWhole && this.#held.length <= 1 && this.#heldBytes <= bytesMax;
    return isHere ? (this.#held[0] ?? NOTHING) : this.#collect(bytesMax);
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => this.#startStream(controller),
        pull: () => this.#resume(),
        cancel: () => this.#giveUp(undefined),
      },
      STREAM_LEAD,
    );
  }

  /** Called by the connection with the answer's head. */
  begin({ status, headers }: AnswerHead): void {
    this.status = status;
    this.headers = headers;
    this.#answers.enter(this);
  }

  /** Called when the others are as far. */
  goOn(): void {
    this.#answer(this);
  }

  /** Called by the connection with the next part of the body. */
  take(part: Uint8Array): void {
    const controller = this.#controller;
    if (controller !== undefined) {
      controller.enqueue(part);
      if ((controller.desiredSize ?? 0) <= 0) this.#wire.pause();
      return;
    }
    this.#held.push(part);
    this.#heldBytes += part.length;
    if (this.#heldBytes > this.#holdMax) this.#wire.pause();
    this.#onMore?.();
  }

  /** Called by the connection when the body is whole. */
  finish(): void {
    if (this.#isOver) return;
    this.#isWhole = true;
    this.#end();
    this.#controller?.close();
  }

  /** Called by the connection when it has failed. */
  fail(failure: unknown): void {
    if (this.#isOver) return;
    this.#failure = failure;
    this.#end();
    this.#fail(failure);
    this.#controller?.error(failure);
  }

  async #collect(bytesMax: number): Promise<Uint8Array> {
    this.#holdMax = bytesMax;
    this.#resume();
    while (this.#heldBytes <= bytesMax && !this.#isOver) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#onMore = resolve;
      await promise;
    }
    if (this.#heldBytes > bytesMax) {
      const tooLarge = new Fault("upstream.invalid_answer", { internal: `larger than ${bytesMax} bytes` });
      this.#giveUp(tooLarge);
      throw tooLarge;
    }
    if (!this.#isWhole) throw this.#failure;
    return Buffer.concat(this.#held);
  }

  #startStream(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    for (const part of this.#held) controller.enqueue(part);
    this.#held = [];
    if (this.#isWhole) controller.close();
    else if (this.#isOver) controller.error(this.#failure);
    else if ((controller.desiredSize ?? 0) <= 0) this.#wire.pause();
    else this.#wire.resume();
  }

  #resume(): void {
    if (!this.#isOver) this.#wire.resume();
  }

  /** Called when nobody wants the answer any more. */
  onCancel(reason: unknown): void {
    this.#wire.drop();
    this.fail(reason);
  }

  /** Nobody wants the rest. */
  #giveUp(reason: unknown): void {
    if (this.#isOver) return;
    this.#controller = undefined;
    this.#wire.drop();
    this.fail(reason);
  }

  #end(): void {
    this.#isOver = true;
    this.#cancellation.listener = undefined;
    this.#onMore?.();
  }
}
