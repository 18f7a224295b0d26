import type { RequestTrace } from "./request-trace.ts";

/** Traces that one thread keeps; the oldest goes first. */
const TRACES_MAX = 1_000;

/** The traces of the latest requests of this thread, those under way included. */
export class RecentTraces {
  /** A ring: keeping costs every request, finding one costs only who asks. */
  readonly #traces: RequestTrace[] = [];
  #next = 0;

  keep(trace: RequestTrace): void {
    this.#traces[this.#next] = trace;
    this.#next = (this.#next + 1) % TRACES_MAX;
  }

  find(requestId: string): RequestTrace | undefined {
    return this.#traces.find(({ request }) => request?.requestId === requestId);
  }
}
