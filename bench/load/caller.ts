import { AnswerReader } from "./answer-reader.ts";
import type { Target } from "./jobs.ts";

/** Who is told how one request goes. */
export interface AnswerListener {
  /** The first piece of content has come; of an answer that is no stream, its end. */
  began(): void;
  /** `problem` is undefined after a whole 200. */
  ended(problem: string | undefined): void;
}

/** Bytes of a request as they go over the wire. */
export function requestBytes({ url, headers, body }: Target): Uint8Array {
  const { host, pathname } = new URL(url);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = Buffer.from(body);
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${bytes.length}\r\n${lines.join("")}\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** One connection, one request at a time. Straight on the socket: an HTTP client would cost as much as a gateway. */
export class Caller {
  readonly #reader = new AnswerReader();
  #socket: Bun.Socket<undefined> | undefined;
  #listener: AnswerListener | undefined;
  #unsent: Uint8Array = new Uint8Array();
  #hasBegun = false;

  /** Sends a request whose answer the listener is told of; opens the connection where there is none. */
  ask(url: string, request: Uint8Array, listener: AnswerListener): void {
    this.#listener = listener;
    this.#hasBegun = false;
    this.#unsent = request;
    this.#reader.reset();
    if (this.#socket === undefined) this.#open(url);
    else this.#write();
  }

  /** Leaves without waiting for the rest of the answer. */
  leave(): void {
    this.#listener = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.terminate();
  }

  #open(url: string): void {
    const { hostname, port, protocol } = new URL(url);
    const connecting = Bun.connect<undefined>({
      hostname,
      port: Number(port),
      // The certificate of the benchmark's own upstream is its own too.
      tls: protocol === "https:" ? { rejectUnauthorized: false } : false,
      socket: {
        open: (socket) => {
          this.#socket = socket;
          this.#write();
        },
        data: (_, bytes) => this.#received(bytes),
        drain: () => this.#write(),
        close: (socket) => {
          if (socket === this.#socket) this.#lost("the connection was closed");
        },
      },
    });
    connecting.catch(({ message }: Error) => this.#lost(message));
  }

  #write(): void {
    if (this.#unsent.length === 0) return;
    const taken = this.#socket?.write(this.#unsent) ?? 0;
    this.#unsent = this.#unsent.subarray(Math.max(0, taken));
  }

  #received(bytes: Buffer): void {
    const isDone = this.#reader.push(bytes);
    const listener = this.#listener;
    if (listener === undefined) return;
    if (!this.#hasBegun && (isDone || this.#reader.hasContent)) {
      this.#hasBegun = true;
      listener.began();
    }
    // The listener may have left at the first bytes.
    if (!isDone || this.#listener === undefined) return;
    this.#listener = undefined;
    listener.ended(this.#problem());
  }

  #problem(): string | undefined {
    const { status, isWhole } = this.#reader;
    if (status !== 200) return `status ${status}`;
    return isWhole ? undefined : "a stream without its last event";
  }

  #lost(reason: string): void {
    this.#socket = undefined;
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.ended(reason);
  }
}
