import type { Choice } from "#accounts/choice.ts";
import type { AccountId } from "#domain/ids.ts";
import { type Clock, isoTime } from "#kernel/clock.ts";
import type { Fault } from "#kernel/fault.ts";

/** Steps that one trace keeps: many more than the switches and retries of one request can make. */
const STEPS_MAX = 200;

/** What is kept of a fault: never its bodies, of which a thousand traces would keep too much. */
type TracedFault = Pick<Fault, "code" | "status" | "message" | "retryAfterMs">;

/** One thing that happened to a request. Times are milliseconds since its arrival. */
export type Step =
  | { readonly step: "queue"; readonly at: number; readonly waitedMs: number }
  | { readonly step: "choice"; readonly at: number; readonly choice: Choice }
  | { readonly step: "turn"; readonly at: number; readonly waitedMs: number }
  | { readonly step: "attempt"; readonly at: number; readonly account: AccountId }
  | { readonly step: "fault"; readonly at: number; readonly account: AccountId; readonly fault: TracedFault }
  | { readonly step: "retry"; readonly at: number; readonly how: string; readonly delayMs: number }
  | { readonly step: "local"; readonly at: number; readonly kind: string }
  | { readonly step: "answer"; readonly at: number; readonly status: number }
  | { readonly step: "refusal"; readonly at: number; readonly fault: TracedFault };

type Unnumbered<S> = S extends unknown ? Omit<S, "at"> : never;

/** What a trace says about its request as a whole. */
export interface TracedRequest {
  readonly requestId: string;
  readonly model: string;
  readonly stream: boolean;
  readonly groupId: number;
  readonly apiKeyId: number;
  readonly sessionKey: string;
  readonly client: string | undefined;
  /** Milliseconds since the Unix epoch. */
  readonly arrivedAtMs: number;
}

/**
 * How one request came by its answer: who could have served it, why each of the others could not, what it
 * waited for, and what each attempt came to. Kept as it happens and put into words only when somebody asks.
 */
export class RequestTrace {
  readonly #startedAt: number;
  readonly #clock: Clock;
  readonly steps: Step[] = [];
  request: TracedRequest | undefined;
  /** Where it is kept; only who keeps it writes this. */
  place: number | undefined;

  /** @param startedAt the request's arrival, in monotonic milliseconds. */
  constructor(startedAt: number, clock: Clock) {
    this.#startedAt = startedAt;
    this.#clock = clock;
  }

  /** Takes the step over. */
  add(step: Unnumbered<Step>): void {
    if (this.steps.length >= STEPS_MAX) return;
    const numbered = step as Unnumbered<Step> & { at: number };
    numbered.at = Math.round(this.#clock.monotonic() - this.#startedAt);
    this.steps.push(numbered as Step);
  }

  addFault(fault: Fault, account?: AccountId): void {
    const { code, status, message, retryAfterMs } = fault;
    const kept = { code, status, message, retryAfterMs };
    this.add(
      account === undefined ? { step: "refusal", fault: kept } : { step: "fault", account, fault: kept },
    );
  }

  /** In one line, short enough for a header: what the request waited for, whom it was given to, and what failed. */
  summary(): string {
    return this.steps.flatMap(summarise).join(" ");
  }
}

/** A trace in full, for the admin API. */
export function describeTrace(request: TracedRequest, steps: readonly Step[]): object {
  return {
    request_id: request.requestId,
    at: isoTime(request.arrivedAtMs),
    model: request.model,
    group_id: request.groupId,
    api_key_id: request.apiKeyId,
    stream: request.stream,
    session_key: request.sessionKey,
    client: request.client ?? null,
    steps: steps.map(describeStep),
  };
}

function summarise(entry: Step): readonly string[] {
  switch (entry.step) {
    case "queue":
      return [`queued:${Math.round(entry.waitedMs)}ms`];
    case "choice":
      return [`${entry.choice.chosenBy ?? "line"}:${entry.choice.chosen ?? "-"}/${entry.choice.ids.length}`];
    case "fault":
      return [`fault:${entry.fault.code}`];
    case "local":
      return [`local:${entry.kind}`];
    default:
      return [];
  }
}

function describeStep(entry: Step): object {
  const head = { at_ms: entry.at, step: entry.step };
  switch (entry.step) {
    case "queue":
    case "turn":
      return { ...head, waited_ms: Math.round(entry.waitedMs) };
    case "choice":
      return { ...head, ...entry.choice.describe() };
    case "attempt":
      return { ...head, account_id: entry.account };
    case "fault":
      return { ...head, account_id: entry.account, ...describeFault(entry.fault) };
    case "refusal":
      return { ...head, ...describeFault(entry.fault) };
    case "retry":
      return { ...head, how: entry.how, delay_ms: Math.round(entry.delayMs) };
    case "local":
      return { ...head, kind: entry.kind };
    case "answer":
      return { ...head, status: entry.status };
  }
}

function describeFault({ code, status, message, retryAfterMs }: TracedFault): object {
  return { fault: code, status, reason: message, retry_after_ms: retryAfterMs ?? null };
}
