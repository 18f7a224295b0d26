import type { Socket } from "bun";
import type { Cancellation } from "#kernel/cancellation.ts";
import type { Cohorts } from "#kernel/cohorts.ts";
import type { Target } from "#upstream/destinations.ts";
import type { AnswerHead } from "./answer-head.ts";
import { AnswerHeadReader } from "./answer-head-reader.ts";
import { Exchange, type Wire } from "./exchange.ts";
import { CLOSED_EARLY, codeOf, WireError } from "./wire-error.ts";

/** Requests up to this size, head and body, are put together and written at once, in bytes. */
const JOINED_BYTES_MAX = 65_536;
const joined = Buffer.allocUnsafe(JOINED_BYTES_MAX);

/** What is offered when a TLS connection opens: a name behind its length (RFC 7301 section 3.1). */
const PROTOCOLS = Buffer.from("\u0008http/1.1", "latin1");

/** Reads what may be a whole head, whatever the connection: nearly all come in one piece. */
let nextReader = new AnswerHeadReader();

/** An idle connection is looked after by the operating system from here on, in milliseconds: networks forget silent ones. */
const PROBED_AFTER_MS = 30_000;

/** Whoever keeps connections. */
export interface ConnectionOwner {
  /** The connection is open and has nothing to do. */
  released(connection: Connection): void;
  /** The connection is no more. */
  closed(connection: Connection): void;
}

/** How connections are opened. */
export interface ConnectOptions {
  /** PEM certificates trusted instead of the built-in ones. */
  readonly ca: string | undefined;
  readonly owner: ConnectionOwner;
  /** Where requests whose answers have begun wait for each other. */
  readonly answers: Cohorts;
}

/** A connection to an upstream, with one exchange at a time. */
export class Connection implements Wire {
  readonly key: string;
  /** When it was released last, in monotonic milliseconds; its owner's to set. */
  idleSinceMs = 0;
  /** How long the upstream keeps it unused, in milliseconds, as it has said last. */
  keptMs = Number.POSITIVE_INFINITY;
  readonly #owner: ConnectionOwner;
  readonly #answers: Cohorts;
  readonly #opening = Promise.withResolvers<Connection>();
  #socket: Socket<Connection> | undefined;
  #exchange: Exchange | undefined;
  /** Holds the beginning of a head that comes in pieces. */
  #headReader: AnswerHeadReader | undefined;
  /** Of the answer that is being read. */
  #head: AnswerHead | undefined;
  #unsent: Uint8Array[] = [];
  #isOpen = false;
  #isPaused = false;
  /** Whether the upstream has ended its side in order. */
  #hasEnded = false;

  private constructor(key: string, { owner, answers }: ConnectOptions) {
    this.key = key;
    this.#owner = owner;
    this.#answers = answers;
  }

  /**
   * Opens a connection; with TLS, one whose certificate has been accepted.
   *
   * @throws WireError, unsent, with the operating system's code or the certificate's.
   */
  static open(target: Target, wanted: ConnectOptions): Promise<Connection> {
    const connection = new Connection(target.key, wanted);
    const { ca } = wanted;
    const { address, port, isTls, serverName } = target;
    const tls = { ALPNProtocols: PROTOCOLS, ...(serverName && { serverName }), ...(ca && { ca }) };
    const options = {
      hostname: address,
      port,
      socket: isTls ? TLS_HANDLERS : PLAIN_HANDLERS,
      data: connection,
    };
    try {
      // What it rejects with has been told to a handler already, but for wrong options.
      Bun.connect<Connection>(isTls ? { ...options, tls } : options).catch((thrown) =>
        connection.#broke(thrown),
      );
    } catch (thrown) {
      connection.#broke(thrown);
    }
    return connection.#opening.promise;
  }

  /**
   * Sends a request, its head and its body. The connection must be idle, and not its owner's any more.
   *
   * @throws the reason when it has been cancelled: nothing is sent then, and the connection stays idle.
   * @throws WireError, unsent, when the connection is no more.
   */
  ask(head: string, body: Uint8Array | undefined, cancellation: Cancellation): Promise<Exchange> {
    if (!this.#isOpen) return Promise.reject(new WireError(CLOSED_EARLY, { isUnsent: true }));
    if (cancellation.isCancelled) {
      this.#owner.released(this);
      return Promise.reject(cancellation.reason);
    }
    const exchange = new Exchange(this, cancellation, this.#answers);
    this.#exchange = exchange;
    if (head.length + (body?.length ?? 0) <= JOINED_BYTES_MAX) {
      const headBytes = joined.write(head, 0, "latin1");
      if (body !== undefined) joined.set(body, headBytes);
      this.#writeJoined(headBytes + (body?.length ?? 0));
    } else {
      this.#write(Buffer.from(head, "latin1"));
      if (body !== undefined) this.#write(body);
    }
    return exchange.answered;
  }

  pause(): void {
    if (this.#isPaused || !this.#isOpen) return;
    this.#isPaused = true;
    this.#socket?.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    if (this.#isOpen) this.#socket?.resume();
  }

  drop(): void {
    this.#isOpen = false;
    this.#exchange = undefined;
    this.#owner.closed(this);
    this.#socket?.terminate();
  }

  /** Called with the socket once a request may be written. */
  opened(socket: Socket<Connection>): void {
    this.#socket = socket;
    this.#isOpen = true;
    socket.setKeepAlive(true, PROBED_AFTER_MS);
    this.#opening.resolve(this);
  }

  /** Called with what the upstream has sent. The bytes are ours. */
  received(bytes: Buffer): void {
    const exchange = this.#exchange;
    // Nothing was asked: a notice before closing, at best.
    try {
      if (exchange === undefined) this.drop();
      else this.#read(exchange, bytes);
    } catch (thrown) {
      this.drop();
      exchange?.fail(thrown);
    }
  }

  /** Called when there is room for more of the request. */
  drained(): void {
    const unsent = this.#unsent;
    if (unsent.length === 0) return;
    this.#unsent = [];
    for (const bytes of unsent) this.#write(bytes);
  }

  /** Called when the upstream has sent its last. */
  ended(): void {
    this.#hasEnded = true;
  }

  /** Called when the connection is no more. */
  closed(error: unknown): void {
    this.#broke(error);
    this.#owner.closed(this);
  }

  /** Called with what went wrong before the connection was open. */
  refused(error: unknown): void {
    this.#broke(error);
    this.#socket?.terminate();
  }

  #read(exchange: Exchange, bytes: Buffer): void {
    let part: Uint8Array | undefined = bytes;
    if (this.#head === undefined) {
      const reader = this.#headReader ?? nextReader;
      this.#head = reader.read(bytes);
      if (this.#head === undefined) {
        this.#keepReader(reader);
        return;
      }
      this.#headReader = undefined;
      part = bytes.subarray(reader.bodyAt);
      exchange.begin(this.#head);
    }
    const { body } = this.#head;
    part = body.read(part);
    if (part !== undefined) exchange.take(part);
    if (body.isWhole) this.#complete(exchange, this.#head);
  }

  /** The rest of a head must follow, and be read by whoever has read its beginning. */
  #keepReader(reader: AnswerHeadReader): void {
    this.#headReader = reader;
    if (reader === nextReader) nextReader = new AnswerHeadReader();
  }

  /** The answer is whole. What is left of the request, or came after the answer, would be taken for another's. */
  #complete(exchange: Exchange, { isReusable, keptMs, body }: AnswerHead): void {
    this.#exchange = undefined;
    this.keptMs = keptMs;
    this.#head = undefined;
    this.resume();
    if (isReusable && !body.hasExcess && this.#unsent.length === 0 && this.#isOpen)
      this.#owner.released(this);
    else this.drop();
    exchange.finish();
  }

  #broke(error: unknown): void {
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#unsent = [];
    const code = codeOf(error, CLOSED_EARLY);
    if (!wasOpen) this.#opening.reject(new WireError(code, { isUnsent: true }));
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange === undefined) return;
    const isComplete = this.#hasEnded && this.#head?.body.endsWithConnection === true;
    if (isComplete) exchange.finish();
    else exchange.fail(new WireError(code));
  }

  /** Writes what stands in the buffer that all share. */
  #writeJoined(length: number): void {
    const written = this.#tryToWrite(joined.subarray(0, length));
    if (written < length) this.#unsent.push(Buffer.from(joined.subarray(written, length)));
  }

  #write(bytes: Uint8Array): void {
    const written = this.#tryToWrite(bytes);
    if (written < bytes.length) this.#unsent.push(bytes.subarray(written));
  }

  /** How much was written; what follows unwritten bytes waits behind them. */
  #tryToWrite(bytes: Uint8Array): number {
    return this.#unsent.length > 0 ? 0 : Math.max(0, this.#socket?.write(bytes) ?? 0);
  }
}

const PLAIN_HANDLERS = {
  open: (socket: Socket<Connection>) => socket.data.opened(socket),
  data: (socket: Socket<Connection>, bytes: Buffer) => socket.data.received(bytes),
  drain: (socket: Socket<Connection>) => socket.data.drained(),
  end: (socket: Socket<Connection>) => socket.data.ended(),
  close: (socket: Socket<Connection>, error?: unknown) => socket.data.closed(error),
  error: (socket: Socket<Connection>, error: unknown) => socket.data.refused(error),
  connectError: (socket: Socket<Connection>, error: unknown) => socket.data.refused(error),
};

const TLS_HANDLERS = {
  ...PLAIN_HANDLERS,
  open: () => undefined,
  handshake: (socket: Socket<Connection>, isAccepted: boolean, error: unknown) => {
    if (isAccepted) socket.data.opened(socket);
    else {
      socket.data.refused(error);
      socket.terminate();
    }
  },
};
