import type { RequestTrace } from "./request-trace.ts";

/** Traces that one thread keeps; the oldest goes first. */
const TRACES_MAX = 1_000;

/** The traces of the latest requests of this thread, those under way included. */
export class RecentTraces {
  readonly #traces = new Map<string, RequestTrace>();

  keep(requestId: string, trace: RequestTrace): void {
    this.#traces.set(requestId, trace);
    if (this.#traces.size <= TRACES_MAX) return;
    const [oldest] = this.#traces.keys();
    if (oldest !== undefined) this.#traces.delete(oldest);
  }

  find(requestId: string): RequestTrace | undefined {
    return this.#traces.get(requestId);
  }
}
