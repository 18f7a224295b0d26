import type { Office, SingleFlight } from "#coordination/single-flight.ts";
import type { Clock } from "#kernel/clock.ts";

/** Work that one node alone has: whoever runs it first in this thread keeps the others out. */
export class LocalSingleFlight implements SingleFlight {
  readonly #clock: Pick<Clock, "now">;
  readonly #running = new Set<string>();
  #lastToken = 0;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  async run<T>(task: string, work: (office: Office) => Promise<T>): Promise<T | undefined> {
    if (this.#running.has(task)) return undefined;
    this.#running.add(task);
    this.#lastToken = Math.max(this.#lastToken + 1, this.#clock.now() * 1_000);
    try {
      return await work({ token: this.#lastToken, signal: new AbortController().signal });
    } finally {
      this.#running.delete(task);
    }
  }
}
