import type { Socket } from "node:net";
import { type Frame, readFrame } from "./wire-frames.ts";

const NO_BYTES = Buffer.alloc(0);

/** Most messages taken out of one connection at a time, so that no client can keep the others waiting. */
const FRAMES_PER_TURN_MAX = 1000;

/** One client of the embedded database: its socket and what it sent that has not run yet. */
export class WireConnection {
  readonly #socket: Socket;
  #received: Buffer = NO_BYTES;
  #isStarted = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Keeps bytes that arrived until their message is whole. */
  receive(bytes: Buffer): void {
    this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
  }

  /**
   * Takes the whole messages that are there, up to and including the first that ends a cycle.
   *
   * @throws Error when what was sent is not the PostgreSQL protocol.
   */
  takeFrames(): readonly Frame[] {
    const frames: Frame[] = [];
    while (frames.length < FRAMES_PER_TURN_MAX) {
      const frame = readFrame(this.#received, this.#isStarted);
      if (frame === undefined) break;
      this.#received = this.#received.subarray(frame.bytes.length);
      this.#isStarted ||= frame.kind === "startup";
      frames.push(frame);
      if (frame.kind !== "part") break;
    }
    return frames;
  }

  /** Sends an answer; dropped when the client has left. */
  send(bytes: Uint8Array): void {
    if (bytes.length > 0 && this.#socket.writable) this.#socket.write(bytes);
  }

  /** Hangs up. */
  close(): void {
    this.#received = NO_BYTES;
    this.#socket.destroy();
  }
}
