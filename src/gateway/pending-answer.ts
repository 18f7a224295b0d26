import { Fault } from "#kernel/fault.ts";
import type { StallListener, StallWatch, Watch } from "#kernel/stall-watch.ts";
import type { InboundCall } from "./call-stages.ts";
import { type Outcome, pingUntil } from "./keep-alive.ts";
import { respondFault } from "./render-fault.ts";

/** What a {@link PendingAnswer} works with. */
interface PendingAnswerParts {
  readonly pingMs: number;
  readonly stallWatch: StallWatch;
}

/**
 * The answer to a request: what the pipeline comes to, and before that, with pings, when a streaming request has had
 * none for a whole ping interval, whatever it waits for: a slot, an account, its turn, or the first token.
 *
 * The only place that knows whether the client has already been given a status line, so the only place that decides
 * between an HTTP error and an error event. Stages just wait and throw. A request that is answered sooner keeps its own
 * status and costs one entry in a shared watch.
 */
export class PendingAnswer implements StallListener {
  readonly #call: Pick<InboundCall, "requestId">;
  readonly #parts: PendingAnswerParts;
  readonly #response = Promise.withResolvers<Response>();
  #watch: Watch | undefined;
  /** What is told the outcome, once the client has been given a status line. */
  #late: PromiseWithResolvers<Outcome> | undefined;

  constructor(call: Pick<InboundCall, "requestId">, parts: PendingAnswerParts) {
    this.#call = call;
    this.#parts = parts;
  }

  /** Never rejects. */
  get response(): Promise<Response> {
    return this.#response.promise;
  }

  /** Only a client that asked for a stream can be sent pings. */
  allowPings(isStream: boolean): void {
    if (!isStream || this.#watch !== undefined) return;
    this.#watch = this.#parts.stallWatch.watch(this);
    this.#watch.arm(this.#parts.pingMs);
  }

  /** Called once, with what the pipeline has come to. */
  settle(outcome: Outcome): void {
    this.#watch?.close();
    if (this.#late !== undefined) this.#late.resolve(outcome);
    else this.#response.resolve(outcome instanceof Fault ? respondFault(outcome, this.#call) : outcome);
  }

  /** Called when it has waited for an interval. */
  onStall(): void {
    this.#late = Promise.withResolvers<Outcome>();
    this.#response.resolve(pingUntil(this.#late.promise, this.#call, this.#parts.pingMs));
  }

  /** Whatever it waits for is told itself. */
  onBreakOff(): void {}
}
