import { Fault } from "#kernel/fault.ts";
import { PING_EVENT } from "#protocols/anthropic/ping.ts";
import type { InboundCall } from "./call-stages.ts";
import { addRequestId, faultEvent } from "./render-fault.ts";
import type { ChunkReader } from "./stream-relay.ts";

/** What the pipeline comes to. Never rejects. */
export type Outcome = Response | Fault;

/** An answer that begins with pings, one an interval of `pingMs` milliseconds, and goes on with the outcome. */
export function pingUntil(
  outcome: Promise<Outcome>,
  call: Pick<InboundCall, "requestId">,
  pingMs: number,
): Response {
  const late = new LateAnswer(outcome, call, pingMs);
  const body = new ReadableStream<Uint8Array>(
    { pull: (controller) => late.pull(controller), cancel: () => late.cancel() },
    { highWaterMark: 0 },
  );
  const headers: Record<string, string> = {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
  };
  addRequestId(headers, call.requestId);
  return new Response(body, { headers });
}

/** A body that begins with pings and goes on with the answer once there is one. */
class LateAnswer {
  readonly #outcome: Promise<Outcome>;
  readonly #call: Pick<InboundCall, "requestId">;
  readonly #pingMs: number;
  #reader: ChunkReader | undefined;
  #isFirst = true;

  constructor(outcome: Promise<Outcome>, call: Pick<InboundCall, "requestId">, pingMs: number) {
    this.#outcome = outcome;
    this.#call = call;
    this.#pingMs = pingMs;
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    if (this.#reader === undefined) {
      const settled = await this.#settledOrPing();
      if (settled === "ping") return controller.enqueue(PING_EVENT);
      const stream = streamOf(settled);
      if (stream === undefined) return this.#fail(controller, settled);
      this.#reader = stream.getReader();
    }
    const { value } = await this.#reader.read();
    if (value === undefined) controller.close();
    else controller.enqueue(value);
  }

  cancel(): void {
    if (this.#reader !== undefined) void this.#reader.cancel();
    else
      void this.#outcome.then((settled) =>
        settled instanceof Response ? settled.body?.cancel() : undefined,
      );
  }

  async #settledOrPing(): Promise<Outcome | "ping"> {
    // A whole interval has passed before this stream began.
    const dueMs = this.#isFirst ? 0 : this.#pingMs;
    this.#isFirst = false;
    const { promise: ping, resolve } = Promise.withResolvers<"ping">();
    const timer = setTimeout(resolve, dueMs, "ping");
    return await Promise.race([this.#outcome, ping]).finally(() => clearTimeout(timer));
  }

  #fail(controller: ReadableStreamDefaultController<Uint8Array>, settled: Outcome): void {
    const fault = settled instanceof Fault ? settled : new Fault("upstream.invalid_answer");
    controller.enqueue(faultEvent(fault, this.#call));
    controller.close();
  }
}

/** The body of an answer that can follow pings; undefined for faults and for answers that are no stream. */
function streamOf(settled: Outcome): ReadableStream<Uint8Array> | undefined {
  if (settled instanceof Fault || settled.body === null) return undefined;
  return settled.headers.get("content-type")?.startsWith("text/event-stream") ? settled.body : undefined;
}
