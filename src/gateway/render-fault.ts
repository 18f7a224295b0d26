import { Fault } from "#kernel/fault.ts";
import { errorBody, errorEvent, readErrorBody } from "#protocols/anthropic/error-body.ts";
import type { AuthenticatedCall, InboundCall } from "./call-stages.ts";

const MS_PER_SECOND = 1_000;

/** A call as far as its answer's headers need to know it. */
type AnsweredCall = Pick<InboundCall, "requestId"> & Partial<Pick<AuthenticatedCall, "principal" | "trace">>;

/** A fault as a response in the client's own dialect; an upstream's own refusal byte for byte. */
export function respondFault(fault: Fault, call: AnsweredCall): Response {
  const { requestId } = call;
  const { relayed } = fault;
  if (relayed !== undefined) {
    const headers = { ...relayed.headers };
    addRequestId(headers, requestId);
    addTrace(headers, call);
    return new Response(relayed.body, { status: relayed.status, headers });
  }
  const headers: Record<string, string> = { "content-type": "application/json" };
  addRequestId(headers, requestId);
  addTrace(headers, call);
  if (fault.retryAfterMs !== undefined) {
    headers["retry-after"] = String(Math.max(1, Math.ceil(fault.retryAfterMs / MS_PER_SECOND)));
  }
  const body = errorBody(fault.status, fault.publicMessage, requestId);
  return new Response(JSON.stringify(body), { status: fault.status, headers });
}

/** A fault as the last event of a stream that has begun; undefined: the upstream just ended too early. */
export function faultEvent(
  fault: Fault | undefined,
  { requestId }: Pick<InboundCall, "requestId">,
): Uint8Array {
  const { status, publicMessage, relayed } = fault ?? new Fault("upstream.broken");
  const own = relayed && readErrorBody(relayed.body);
  return errorEvent(own ?? errorBody(status, publicMessage, requestId));
}

/**
 * Every answer carries `request-id`: the upstream's own where it gave one, since that is what its support
 * asks for, else ours. Ours is always there as `x-sluice-request-id`.
 */
export function addRequestId(headers: Record<string, string>, requestId: string): void {
  headers["x-sluice-request-id"] = requestId;
  headers["request-id"] ??= requestId;
}

/** How the answer came about, in short, for keys that may see it. */
export function addTrace(headers: Record<string, string>, { principal, trace }: AnsweredCall): void {
  if (principal?.hasTraceHeader && trace !== undefined) headers["x-sluice-trace"] = trace.summary();
}
