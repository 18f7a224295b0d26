import { Fault } from "#kernel/fault.ts";
import { readMessages } from "#protocols/anthropic/read-messages.ts";
import type { CallFacts, SessionSeed } from "#protocols/call-facts.ts";
import type { ParseJob, ParseResult } from "./parse-messages.ts";

/** Bodies that may be with one parse thread at once; beyond that they are parsed where they arrived. */
const PENDING_PER_THREAD_MAX = 64;

/** A body and what is known of it. */
export interface ParsedBody {
  /** The same bytes; a body that has been to a parse thread comes back in another buffer object. */
  readonly body: Uint8Array;
  readonly facts: CallFacts;
}

interface Pending {
  readonly resolve: (parsed: ParsedBody) => void;
  readonly reject: (fault: Fault) => void;
}

/** One parse thread, as seen from the thread that sends it bodies. */
interface Lane {
  readonly port: MessagePort;
  readonly pending: Map<number, Pending>;
}

/**
 * Reads bodies: small ones at once, large ones on a parse thread, so that they do not hold up the others
 * that this thread serves. When no parse thread can take one, it is read here after all.
 */
export class ParsePool {
  readonly #offloadBytes: number;
  readonly #lanes: (Lane | undefined)[] = [];
  #nextId = 1;

  /** @param offloadBytes bodies below this size are read where they are. */
  constructor(offloadBytes: number) {
    this.#offloadBytes = offloadBytes;
  }

  /** Puts a parse thread into service, in place of the one that had this index. What that one held is lost. */
  connect(index: number, port: MessagePort): void {
    this.disconnect(index);
    const lane: Lane = { port, pending: new Map() };
    port.onmessage = ({ data }) => settle(lane, data as ParseResult);
    this.#lanes[index] = lane;
  }

  /** Takes a parse thread that has died out of service; the requests whose bodies it held fail. */
  disconnect(index: number): void {
    const lane = this.#lanes[index];
    this.#lanes[index] = undefined;
    lane?.port.close();
    for (const { reject } of lane?.pending.values() ?? []) reject(new Fault("gateway.thread_lost"));
  }

  /**
   * Reads a body, and takes it over: the caller must use the one that comes back.
   *
   * @throws Fault `parse.*` as {@link readMessages}; `gateway.thread_lost`.
   */
  read(body: Uint8Array, seed: SessionSeed): ParsedBody | Promise<ParsedBody> {
    const lane = body.length < this.#offloadBytes ? undefined : this.#leastBusy();
    if (lane === undefined) return { body, facts: readMessages(body, seed) };
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<ParsedBody>();
    lane.pending.set(id, { resolve, reject });
    const whole = ownBuffer(body);
    lane.port.postMessage({ id, body: whole, seed } satisfies ParseJob, [whole.buffer]);
    return promise;
  }

  /** Bodies that are with parse threads now. */
  get pending(): number {
    return this.#lanes.reduce((sum, lane) => sum + (lane?.pending.size ?? 0), 0);
  }

  #leastBusy(): Lane | undefined {
    let best: Lane | undefined;
    for (const lane of this.#lanes) {
      if (lane !== undefined && lane.pending.size < (best?.pending.size ?? PENDING_PER_THREAD_MAX))
        best = lane;
    }
    return best;
  }
}

function settle({ pending }: Lane, result: ParseResult): void {
  const waiting = pending.get(result.id);
  pending.delete(result.id);
  if (result.ok) waiting?.resolve({ body: result.body, facts: result.facts });
  else waiting?.reject(new Fault(result.code, { publicMessage: result.publicMessage }));
}

/** Transferring takes the whole buffer away, so the bytes must be all there is in it. */
function ownBuffer(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const { buffer } = body;
  const isAlone = buffer instanceof ArrayBuffer && buffer.byteLength === body.byteLength;
  return isAlone ? new Uint8Array(buffer) : new Uint8Array(body);
}
