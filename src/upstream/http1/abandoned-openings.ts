import type { Connection, ConnectionOwner } from "./connection.ts";

/** Connections that are being opened although whoever wanted them has gone, by where they lead. */
export class AbandonedOpenings {
  readonly #owner: ConnectionOwner;
  readonly #openings = new Map<string, Set<Promise<Connection>>>();

  constructor(owner: ConnectionOwner) {
    this.#owner = owner;
  }

  /** From here on nobody waits for this one: once it is open, it goes to the owner. */
  add(key: string, opening: Promise<Connection>): void {
    const alike = this.#openings.get(key);
    if (alike === undefined) this.#openings.set(key, new Set([opening]));
    else alike.add(opening);
    opening.then(
      (connection) => this.#remove(key, opening) && this.#owner.released(connection),
      () => this.#remove(key, opening),
    );
  }

  /** One for somebody else to wait for: the oldest, which is nearest to its end. */
  take(key: string): Promise<Connection> | undefined {
    for (const oldest of this.#openings.get(key) ?? []) {
      this.#remove(key, oldest);
      return oldest;
    }
    return undefined;
  }

  /** False when somebody else waits for it now. */
  #remove(key: string, opening: Promise<Connection>): boolean {
    const alike = this.#openings.get(key);
    const wasThere = alike?.delete(opening) === true;
    if (alike?.size === 0) this.#openings.delete(key);
    return wasThere;
  }
}
