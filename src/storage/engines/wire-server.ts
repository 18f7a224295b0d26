import { createServer, type Server, type Socket } from "node:net";
import { WireConnection } from "./wire-connection.ts";
import type { Frame } from "./wire-frames.ts";

/** The one database session behind the socket, spoken to in raw protocol messages. */
export interface Backend {
  /** Runs messages in order and returns what the database answers. */
  run(messages: Uint8Array): Promise<Uint8Array>;
  /** Whether a transaction is open, failed ones included. */
  isInTransaction(): boolean;
}

/** Most clients at once; two for every HTTP thread of a large machine and some to spare. */
const CONNECTIONS_MAX = 512;

/** Longest a client may hold the database without sending anything, in milliseconds. */
const TURN_IDLE_MS_MAX = 10_000;

/** The answer "no encryption here" to a client that asks for it. */
const NO_ENCRYPTION = Buffer.from("N");

/** `Sync`: ends a half-sent cycle and makes the database leave its skip-until-sync state. */
const SYNC = Buffer.from([0x53, 0, 0, 0, 4]);

/** `Query` with the text `rollback`. */
const ROLLBACK = Buffer.from("Q\0\0\0\x0drollback\0", "latin1");

/**
 * Lets many PostgreSQL clients share one database session.
 *
 * The session has one unnamed statement, one unnamed portal and one transaction, so a client that
 * began a cycle (anything up to `Sync`) or a transaction has the session to itself until that ends.
 * Handing over after each message instead gives one client another's rows. Clients take turns in the
 * order in which they asked. One that goes silent in the middle of its turn is rolled back and hung
 * up on after `turnIdleMsMax`, 10 s unless told otherwise.
 */
export class WireServer {
  readonly #backend: Backend;
  readonly #turnIdleMsMax: number;
  readonly #server: Server;
  readonly #connections = new Set<WireConnection>();
  /** Clients that sent something while another had its turn, oldest first. */
  readonly #waiting = new Set<WireConnection>();
  #turn: WireConnection | undefined;
  #turnTimer: ReturnType<typeof setTimeout> | undefined;
  /** The work that is going on; resolves when nothing more can run. */
  #serving: Promise<void> | undefined;

  constructor(backend: Backend, turnIdleMsMax: number = TURN_IDLE_MS_MAX) {
    this.#backend = backend;
    this.#turnIdleMsMax = turnIdleMsMax;
    this.#server = createServer((socket) => this.#accept(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Listens on a unix socket. Rejects when the path cannot be bound. */
  async listen(socketPath: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(socketPath, () => resolve());
    });
  }

  /** Stops accepting, hangs up on every client and rolls back what was left open. */
  async close(): Promise<void> {
    this.#server.close();
    for (const connection of this.#connections) this.#drop(connection);
    await this.#serving;
  }

  #accept(socket: Socket): void {
    const connection = new WireConnection(socket);
    this.#connections.add(connection);
    socket.on("data", (bytes: Buffer) => {
      connection.receive(bytes);
      this.#waiting.add(connection);
      this.#serve();
    });
    // An error is always followed by "close", which is where a client's leaving is dealt with.
    socket.on("error", () => undefined);
    socket.on("close", () => this.#drop(connection));
  }

  #serve(): void {
    // Started in a later microtask, so that there is never a second loop beside the first one.
    this.#serving ??= Promise.resolve()
      .then(() => this.#runTurns())
      .finally(() => {
        this.#serving = undefined;
      });
  }

  /**
   * Runs whatever may run. Each round consumes bytes that were received or ends a turn, so it stops.
   * A database that throws, instead of answering with an error, is broken beyond use: the rejection is
   * left unhandled, which ends the thread, and whoever started the thread opens the database anew.
   */
  async #runTurns(): Promise<void> {
    for (;;) {
      if (this.#turn !== undefined && !this.#connections.has(this.#turn)) await this.#endAbandonedTurn();
      const next = this.#turn ?? this.#waiting.values().next().value;
      if (next === undefined || !this.#waiting.delete(next)) return;
      await this.#runTurn(next);
    }
  }

  async #runTurn(connection: WireConnection): Promise<void> {
    const frames = this.#takeFrames(connection);
    const last = frames.at(-1);
    if (last === undefined) return;
    // There may be more than was taken; the client queues again, behind the others.
    this.#waiting.add(connection);
    if (last.kind === "encryption_request") connection.send(NO_ENCRYPTION);
    else if (last.kind === "cancel_request" || last.kind === "terminate") this.#drop(connection);
    else await this.#runFrames(connection, frames);
  }

  #takeFrames(connection: WireConnection): readonly Frame[] {
    try {
      return connection.takeFrames();
    } catch {
      // Whatever it speaks, it is not the PostgreSQL protocol.
      this.#drop(connection);
      return [];
    }
  }

  async #runFrames(connection: WireConnection, frames: readonly Frame[]): Promise<void> {
    clearTimeout(this.#turnTimer);
    this.#turn = connection;
    connection.send(await this.#backend.run(Buffer.concat(frames.map(({ bytes }) => bytes))));
    if (frames.at(-1)?.kind === "part" || this.#backend.isInTransaction()) {
      this.#turnTimer = setTimeout(() => this.#drop(connection), this.#turnIdleMsMax);
    } else {
      this.#turn = undefined;
    }
  }

  async #endAbandonedTurn(): Promise<void> {
    clearTimeout(this.#turnTimer);
    await this.#backend.run(SYNC);
    if (this.#backend.isInTransaction()) await this.#backend.run(ROLLBACK);
    this.#turn = undefined;
  }

  #drop(connection: WireConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.#waiting.delete(connection);
    connection.close();
    if (this.#turn === connection) this.#serve();
  }
}
