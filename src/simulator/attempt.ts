import { headersOf, type RawHeader } from "./request-head.ts";
import type { Usage } from "./usage.ts";

/**
 * How an attempt ended: everything the plan called for was sent; the client left before that; the
 * simulator closed or reset the socket as planned; or it went silent until the socket closed.
 */
export type Outcome = "completed" | "client_gone" | "cut" | "reset" | "stalled";

/** One request as the upstream saw it. */
export interface Attempt {
  /** Counts every attempt since the start; survives a reset. */
  readonly sequence: number;
  /** When the request was complete, in epoch milliseconds. */
  readonly receivedAtMs: number;
  /** Undefined while in flight, like `outcome`. */
  readonly endedAtMs: number | undefined;
  readonly outcome: Outcome | undefined;
  readonly method: string;
  /** Path and query, as received. */
  readonly path: string;
  /** Headers in their order and with their names' case. */
  readonly headers: readonly RawHeader[];
  /** The credential presented, in `x-api-key` or as a bearer token. */
  readonly apiKey: string | undefined;
  readonly bodyBytes: number;
  /** The body, kept for the latest attempts when it is not too long. */
  readonly body: Uint8Array | undefined;
  /** The plan's name, else where it came from: `request`, `queued` or `default`. */
  readonly plan: string | undefined;
  readonly model: string | undefined;
  readonly stream: boolean;
  /** The status sent; undefined when no head was sent. */
  readonly status: number | undefined;
  /** Bytes handed to the kernel, head and framing included. */
  readonly bytesSent: number;
  /**
   * Tokens billed: what the bytes sent so far have announced. All of the input and one output token from
   * `message_start` on, the whole bill from `message_delta` on, nothing for errors.
   */
  readonly usage: Usage;
}

/** An attempt while the simulator works on it. */
export interface AttemptRecord extends Omit<Attempt, "headers"> {
  readonly headerText: string;
  endedAtMs: number | undefined;
  outcome: Outcome | undefined;
  body: Uint8Array | undefined;
  plan: string | undefined;
  model: string | undefined;
  stream: boolean;
  status: number | undefined;
  bytesSent: number;
  usage: Usage;
}

/** What a record shows at this moment. */
export function attemptOf({ headerText, ...record }: AttemptRecord): Attempt {
  return { ...record, headers: headersOf(headerText) };
}

/** An attempt in the control API's JSON, its body in base64. */
export function attemptJson(record: AttemptRecord): object {
  return {
    sequence: record.sequence,
    received_at_ms: record.receivedAtMs,
    ended_at_ms: record.endedAtMs ?? null,
    outcome: record.outcome ?? null,
    method: record.method,
    path: record.path,
    headers: headersOf(record.headerText),
    api_key: record.apiKey ?? null,
    body_bytes: record.bodyBytes,
    body_base64: record.body === undefined ? null : Buffer.from(record.body).toString("base64"),
    plan: record.plan ?? null,
    model: record.model ?? null,
    stream: record.stream,
    status: record.status ?? null,
    bytes_sent: record.bytesSent,
    usage: record.usage,
  };
}
