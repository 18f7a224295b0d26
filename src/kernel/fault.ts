import { FAULTS, type FaultCode, type FaultSource, type RetryVerdict } from "./fault-codes.ts";
import type { HeaderRecord } from "./headers.ts";

/** An upstream's own answer, kept so that it can be relayed byte for byte. */
export interface RelayedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Most of an upstream's error answer that is kept for judging it, in bytes. */
const UPSTREAM_BODY_BYTES_MAX = 65_536;

/** An upstream's error answer, for those who judge what it says about the account. Clients never see it so. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: HeaderRecord;
  readonly body: Uint8Array;
}

/** How an operator wants a fault to be shown. */
export interface Showing {
  readonly status: number;
  readonly message: string;
  readonly skipsMonitoring: boolean;
}

/** What is known of a fault besides its code. */
export interface FaultDetail {
  /** For operators. Never reaches a client. */
  readonly internal?: string;
  readonly cause?: unknown;
  /** How long the client should wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The upstream's own verdict, when it knows better than the table. */
  readonly retry?: RetryVerdict;
  /** Replaces the table's status. */
  readonly status?: number;
  /** Replaces the table's public words where they must name a value; must be safe to show. */
  readonly publicMessage?: string;
  /** The upstream's answer, when the client is to see it as it is. */
  readonly relayed?: RelayedAnswer | undefined;
  /** The upstream's answer, when there was one; no more than 64 KiB of its body are kept. */
  readonly upstream?: UpstreamAnswer | undefined;
  /** The request was certainly not processed, so that repeating it cannot run or bill it twice. */
  readonly isUnprocessed?: boolean;
  /** An operator has said that this is expected: it is neither counted nor logged as a fault. */
  readonly skipsMonitoring?: boolean;
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
  readonly upstream: UpstreamAnswer | undefined;
  readonly isUnprocessed: boolean;
  readonly skipsMonitoring: boolean;

  constructor(code: FaultCode, detail: FaultDetail = {}) {
    const spec = FAULTS[code];
    super(detail.internal ?? spec.publicMessage, { cause: detail.cause });
    this.name = "Fault";
    this.code = code;
    this.status = detail.status ?? detail.relayed?.status ?? spec.status;
    this.source = spec.source;
    this.retry = detail.retry ?? spec.retry;
    this.publicMessage = detail.publicMessage ?? spec.publicMessage;
    this.retryAfterMs = detail.retryAfterMs;
    this.relayed = detail.relayed;
    this.upstream = detail.upstream && bounded(detail.upstream);
    this.isUnprocessed = detail.isUnprocessed ?? false;
    this.skipsMonitoring = detail.skipsMonitoring ?? false;
  }

  /** The same fault, with another time for the client to wait, in milliseconds. */
  withRetryAfter(retryAfterMs: number): Fault {
    return this.#with({ retryAfterMs });
  }

  /** The same fault as an operator wants it shown, whatever the upstream's own answer looked like. */
  shownAs({ status, message, skipsMonitoring }: Showing): Fault {
    return this.#with({ status, publicMessage: message, skipsMonitoring, relayed: undefined });
  }

  #with(changes: FaultDetail): Fault {
    const { message, cause, retryAfterMs, retry, status, publicMessage, relayed, upstream } = this;
    const { isUnprocessed, skipsMonitoring } = this;
    const known = { retryAfterMs, retry, status, publicMessage, relayed, upstream };
    return new Fault(this.code, {
      internal: message,
      cause,
      isUnprocessed,
      skipsMonitoring,
      ...known,
      ...changes,
    });
  }

  /** Turns anything thrown into a fault, keeping the original as `cause`. */
  static from(thrown: unknown): Fault {
    if (thrown instanceof Fault) return thrown;
    const internal = thrown instanceof Error ? thrown.message : String(thrown);
    return new Fault("gateway.internal", { internal, cause: thrown });
  }
}

/** A copy where the body is long, since a part of it would keep the whole in memory. */
function bounded(answer: UpstreamAnswer): UpstreamAnswer {
  const { status, headers, body } = answer;
  if (body.length <= UPSTREAM_BODY_BYTES_MAX) return answer;
  return { status, headers, body: body.slice(0, UPSTREAM_BODY_BYTES_MAX) };
}
