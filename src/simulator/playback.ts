import type { Outcome } from "./attempt.ts";
import type { ControlStep, WireStep } from "./steps.ts";
import type { Usage } from "./usage.ts";

/** What a playback needs of a socket. */
export interface Wire {
  /** Writes without buffering; the number of bytes taken, fewer than given when the peer does not read. */
  write(bytes: Uint8Array): number;
  end(): void;
  /** Closes with a TCP RST. */
  terminate(): void;
}

/** Who is told how a playback goes. */
export interface PlaybackListener {
  /** Bytes went out. `bills` is there when they completed what it is due for. */
  sent(bytes: number, bills: Usage | undefined): void;
  /** Nothing more will be sent. Called once, before the socket is closed when that was planned. */
  over(outcome: Outcome): void;
}

/** Bytes gathered into one write. Also how far the simulator ever runs ahead of a peer that does not read. */
const WRITE_BYTES_MAX = 64 * 1024;
/** Writes before other sockets get a turn. */
const WRITES_PER_TURN_MAX = 16;
/** An RST discards what the peer has not read yet, so the bytes before it get this head start, in ms. */
const RESET_HEAD_START_MS = 25;
/** Longest silence, in milliseconds; then the socket is closed whoever is still there. */
const STALL_MS_MAX = 900_000;

/** Plays the steps of one answer onto a socket, at the pace at which the peer reads. */
export class Playback {
  readonly #wire: Wire;
  readonly #steps: Iterator<WireStep>;
  readonly #listener: PlaybackListener;
  /** Bytes gathered and not yet written, the step to obey once they are, and what is billed then. */
  #unsent: Uint8Array = new Uint8Array();
  #then: ControlStep | "go on" | "finish" = "go on";
  #bills: Usage | undefined;
  #hasSent = false;
  #state: "running" | "blocked" | "waiting" | "stalled" | "over" = "running";
  #cancelTimer: () => void = () => {};

  constructor(wire: Wire, steps: Iterable<WireStep>, listener: PlaybackListener) {
    this.#wire = wire;
    this.#steps = steps[Symbol.iterator]();
    this.#listener = listener;
  }

  /** Plays until something has to be waited for. */
  run(): void {
    this.#state = "running";
    for (let writes = 0; writes < WRITES_PER_TURN_MAX; writes += 1) {
      this.#gather();
      if (!this.#write()) return;
    }
    this.#wait(0, () => this.run());
  }

  /** The socket takes bytes again. */
  drained(): void {
    if (this.#state === "blocked" && this.#write()) this.run();
  }

  /** The peer has left. */
  gone(): void {
    this.#finish(this.#state === "stalled" ? "stalled" : "client_gone");
  }

  #gather(): void {
    const pieces: Uint8Array[] = [];
    let length = 0;
    this.#then = "go on";
    while (this.#then === "go on" && length < WRITE_BYTES_MAX) {
      const { done, value } = this.#steps.next();
      if (done) this.#then = "finish";
      else if (value.do === "raw") {
        pieces.push(value.bytes);
        length += value.bytes.length;
        this.#bills = value.bills ?? this.#bills;
      } else this.#then = value;
    }
    const [only] = pieces;
    this.#unsent = pieces.length === 1 && only !== undefined ? only : Buffer.concat(pieces, length);
  }

  /** Writes what was gathered and obeys what follows it. False when playing cannot go on right now. */
  #write(): boolean {
    if (this.#unsent.length > 0) {
      const taken = Math.max(0, this.#wire.write(this.#unsent));
      const isAll = taken === this.#unsent.length;
      this.#hasSent ||= taken > 0;
      this.#listener.sent(taken, isAll ? this.#bills : undefined);
      if (!isAll) {
        this.#unsent = this.#unsent.subarray(taken);
        this.#state = "blocked";
        return false;
      }
      this.#unsent = this.#unsent.subarray(taken);
    }
    this.#bills = undefined;
    return this.#obey(this.#then);
  }

  #obey(step: ControlStep | "go on" | "finish"): boolean {
    if (step === "go on") return true;
    if (step === "finish") this.#finish("completed");
    else if (step.do === "wait") this.#wait(step.ms, () => this.run());
    else if (step.do === "close") this.#close(step.by);
    else {
      this.#wait(STALL_MS_MAX, () => this.#wire.terminate());
      this.#state = "stalled";
    }
    return false;
  }

  #close(by: "fin" | "rst"): void {
    if (by === "fin") {
      this.#finish("cut");
      this.#wire.end();
      return;
    }
    this.#wait(this.#hasSent ? RESET_HEAD_START_MS : 0, () => {
      this.#finish("reset");
      this.#wire.terminate();
    });
  }

  #wait(ms: number, then: () => void): void {
    this.#state = "waiting";
    if (ms === 0) {
      const turn = setImmediate(then);
      this.#cancelTimer = () => clearImmediate(turn);
      return;
    }
    const timer = setTimeout(then, ms);
    this.#cancelTimer = () => clearTimeout(timer);
  }

  #finish(outcome: Outcome): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#cancelTimer();
    this.#steps.return?.();
    this.#listener.over(outcome);
  }
}
