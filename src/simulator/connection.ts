import type { AttemptLog } from "./attempt-log.ts";
import type { Exchange } from "./exchange.ts";
import { Playback, type Wire } from "./playback.ts";
import { Refusal } from "./refusal.ts";
import { type IncomingRequest, RequestReader } from "./request-reader.ts";

/** Who answers. */
export interface Responder {
  respond(request: IncomingRequest): Exchange;
  /** Answers bytes that could not be read as a request. */
  refuse(refusal: Refusal): Exchange;
}

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

/** One client's connection: reads its requests and answers them one after the other. */
export class Connection {
  readonly #wire: Wire;
  readonly #responder: Responder;
  readonly #log: AttemptLog;
  readonly #reader: RequestReader;
  #playback: Playback | undefined;
  #isClosing = false;

  constructor(wire: Wire, responder: Responder, log: AttemptLog) {
    this.#wire = wire;
    this.#responder = responder;
    this.#log = log;
    this.#reader = new RequestReader(() => this.#wire.write(CONTINUE));
  }

  /** Bytes arrived. */
  received(bytes: Buffer): void {
    if (this.#isClosing) return;
    try {
      this.#reader.push(bytes);
    } catch (thrown) {
      this.#refuse(thrown);
      return;
    }
    this.#answerAll();
  }

  /** The socket takes bytes again. */
  drained(): void {
    this.#playback?.drained();
  }

  /** The socket is closed, by whichever side. */
  closed(): void {
    this.#isClosing = true;
    this.#playback?.gone();
  }

  /** Closes at once. */
  terminate(): void {
    this.#wire.terminate();
  }

  /** A loop, because an answer may be over before this returns, and the next request already here. */
  #answerAll(): void {
    while (this.#playback === undefined && !this.#isClosing) {
      const request = this.#nextRequest();
      if (request === undefined) return;
      this.#play(this.#responder.respond(request));
    }
  }

  #nextRequest(): IncomingRequest | undefined {
    try {
      return this.#reader.next();
    } catch (thrown) {
      this.#refuse(thrown);
      return undefined;
    }
  }

  /** A connection that cannot be read any more is given up, in words unless an answer is under way. */
  #refuse(thrown: unknown): void {
    if (!(thrown instanceof Refusal)) throw thrown;
    this.#isClosing = true;
    if (this.#playback === undefined) this.#play(this.#responder.refuse(thrown));
    else this.#wire.terminate();
  }

  #play({ steps, status, attempt, isLast }: Exchange): void {
    let isStarting = true;
    const playback = new Playback(this.#wire, steps, {
      sent: (bytes, bills) => {
        if (attempt === undefined || bytes === 0) return;
        attempt.status = status;
        attempt.bytesSent += bytes;
        attempt.usage = bills ?? attempt.usage;
      },
      over: (outcome) => {
        this.#playback = undefined;
        if (attempt !== undefined) this.#log.end(attempt, outcome);
        if (outcome !== "completed") this.#isClosing = true;
        else if (isLast) {
          this.#isClosing = true;
          this.#wire.end();
        } else if (!isStarting) this.#answerAll();
      },
    });
    this.#playback = playback;
    playback.run();
    isStarting = false;
  }
}
