import { Fault } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import { readRetryAfterMs } from "#protocols/retry-after.ts";
import type { UpstreamError } from "#providers/provider.ts";
import { relayHeaders } from "./reply.ts";

/** Statuses that say something about the account or the upstream, not about the request. */
const ACCOUNT_FAULTS: Readonly<Record<number, FaultCode>> = {
  401: "upstream.credential_rejected",
  402: "upstream.credential_rejected",
  403: "upstream.forbidden",
  408: "upstream.timeout",
  429: "upstream.rate_limited",
  529: "upstream.overloaded",
};

/** How much of an upstream's error text is kept for operators, in characters. */
const EXCERPT_MAX = 300;

/**
 * Reads an error answer. What the request itself caused is relayed byte for byte, because only the client
 * can mend it; what the account or the upstream caused becomes a fault of its own.
 */
export function readFault(error: UpstreamError): Fault {
  const { status, headers, body } = error;
  const internal = `upstream answered ${status}: ${excerpt(body)}`;
  const code = ACCOUNT_FAULTS[status];
  if (code !== undefined) return new Fault(code, { internal, retryAfterMs: readRetryAfterMs(headers) });
  if (status >= 500) return new Fault("upstream.unavailable", { internal });
  if (status < 400) return new Fault("upstream.invalid_answer", { internal });
  return new Fault("upstream.rejected", {
    internal,
    relayed: { status, headers: relayHeaders(headers), body },
  });
}

function excerpt(body: Uint8Array): string {
  return new TextDecoder().decode(body.subarray(0, EXCERPT_MAX)).replaceAll(/\s+/g, " ");
}
