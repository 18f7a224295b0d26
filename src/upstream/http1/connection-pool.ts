import type { Clock } from "#kernel/clock.ts";
import type { Connection, ConnectionOwner } from "./connection.ts";

/**
 * How long an unused connection is kept, in milliseconds. Shorter than common servers keep theirs (60 s and
 * more), because a request written to a connection the server is closing cannot be repeated safely.
 */
const IDLE_MS_MAX = 20_000;
/** How much earlier than an upstream has said that it closes a connection this is no longer used, in milliseconds. */
const CLOSING_MARGIN_MS = 1_000;
/** Unused connections that are kept at once. */
const IDLE_CONNECTIONS_MAX = 4_096;
/** How often unused connections are looked at, in milliseconds. */
const SWEEP_MS = 1_000;

/** Open connections that have nothing to do, by where they lead. The one used last is used first. */
export class ConnectionPool implements ConnectionOwner {
  readonly #clock: Clock;
  readonly #idle = new Map<string, Connection[]>();
  #size = 0;
  #timer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  take(key: string): Connection | undefined {
    const alike = this.#idle.get(key);
    for (let connection = alike?.pop(); connection !== undefined; connection = alike?.pop()) {
      this.#size--;
      if (!this.#isClosing(connection)) return connection;
      connection.drop();
    }
    return undefined;
  }

  released(connection: Connection): void {
    if (this.#isClosed || this.#size >= IDLE_CONNECTIONS_MAX) connection.drop();
    else this.#keep(connection);
  }

  #keep(connection: Connection): void {
    connection.idleSinceMs = this.#clock.monotonic();
    const alike = this.#idle.get(connection.key);
    if (alike === undefined) this.#idle.set(connection.key, [connection]);
    else alike.push(connection);
    this.#size++;
    this.#timer ??= this.#startTimer();
  }

  closed(connection: Connection): void {
    const alike = this.#idle.get(connection.key);
    const at = alike?.lastIndexOf(connection) ?? -1;
    if (at === -1) return;
    alike?.splice(at, 1);
    this.#size--;
  }

  /** Closes what is idle, and from now on everything that is released. */
  close(): void {
    this.#isClosed = true;
    this.#dropUnused(Number.POSITIVE_INFINITY);
  }

  /** The upstream closes it now, or is about to: what is written to it now might be lost, and nobody could tell. */
  #isClosing({ idleSinceMs, keptMs }: Connection): boolean {
    return this.#clock.monotonic() - idleSinceMs > keptMs - CLOSING_MARGIN_MS;
  }

  #startTimer(): ReturnType<typeof setInterval> {
    const timer = setInterval(() => this.#dropUnused(this.#clock.monotonic() - IDLE_MS_MAX), SWEEP_MS);
    timer.unref();
    return timer;
  }

  /** The oldest stand first. */
  #dropUnused(sinceMs: number): void {
    for (const [key, alike] of this.#idle) {
      const kept = alike.findIndex(({ idleSinceMs }) => idleSinceMs > sinceMs);
      const old = alike.splice(0, kept === -1 ? alike.length : kept);
      this.#size -= old.length;
      for (const connection of old) connection.drop();
      if (alike.length === 0) this.#idle.delete(key);
    }
    if (this.#size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
