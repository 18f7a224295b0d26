import { describeTrace, type RequestTrace } from "./request-trace.ts";
import { TraceTable } from "./trace-table.ts";

/** Traces that one thread keeps; the oldest goes first. */
const TRACES_MAX = 1_000;

/** The traces of the latest requests of this thread, those under way included. */
export class RecentTraces {
  /** A ring: keeping costs every request, finding one costs only who asks. */
  readonly #traces: (RequestTrace | undefined)[] = [];
  /** In the same places, those that have ended and are plain enough for it. */
  readonly #table = new TraceTable(TRACES_MAX);
  #next = 0;

  /** From here on the trace can be found by its request's id. */
  begin(trace: RequestTrace): void {
    const place = this.#next;
    this.#next = (place + 1) % TRACES_MAX;
    trace.place = place;
    this.#traces[place] = trace;
    this.#table.forget(place);
  }

  /** Nothing will be added to the trace any more. */
  end(trace: RequestTrace): void {
    const { place } = trace;
    if (place === undefined || this.#traces[place] !== trace) return;
    if (this.#table.keep(place, trace)) this.#traces[place] = undefined;
  }

  /** The trace in full, as the admin API tells it. */
  describe(requestId: string): object | undefined {
    const trace =
      this.#traces.find((kept) => kept?.request?.requestId === requestId) ?? this.#table.find(requestId);
    return trace?.request && describeTrace(trace.request, trace.steps);
  }
}
