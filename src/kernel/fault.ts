import { FAULTS, type FaultCode, type FaultSource, type RetryVerdict } from "./fault-codes.ts";

/** An upstream's own answer, kept so that it can be relayed byte for byte. */
export interface RelayedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

interface FaultDetail {
  /** For operators. Never reaches a client. */
  readonly internal?: string;
  readonly cause?: unknown;
  /** How long the client should wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The upstream's own verdict, when it knows better than the table. */
  readonly retry?: RetryVerdict;
  /** Replaces the table's public words where they must name a value; must be safe to show. */
  readonly publicMessage?: string;
  /** The upstream's answer, when the client is to see it as it is. */
  readonly relayed?: RelayedAnswer;
}

/**
 * The only error that crosses a stage boundary.
 *
 * Anything else that is thrown is a bug and is answered as `gateway.internal`. Status, blame and
 * retry come from {@link FAULTS}, so a call site states what happened and never how to answer it.
 */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly status: number;
  readonly source: FaultSource;
  readonly retry: RetryVerdict;
  readonly publicMessage: string;
  readonly retryAfterMs: number | undefined;
  readonly relayed: RelayedAnswer | undefined;

  constructor(code: FaultCode, detail: FaultDetail = {}) {
    const spec = FAULTS[code];
    super(detail.internal ?? spec.publicMessage, { cause: detail.cause });
    this.name = "Fault";
    this.code = code;
    this.status = detail.relayed?.status ?? spec.status;
    this.source = spec.source;
    this.retry = detail.retry ?? spec.retry;
    this.publicMessage = detail.publicMessage ?? spec.publicMessage;
    this.retryAfterMs = detail.retryAfterMs;
    this.relayed = detail.relayed;
  }

  /** Turns anything thrown into a fault, keeping the original as `cause`. */
  static from(thrown: unknown): Fault {
    if (thrown instanceof Fault) return thrown;
    const internal = thrown instanceof Error ? thrown.message : String(thrown);
    return new Fault("gateway.internal", { internal, cause: thrown });
  }
}
