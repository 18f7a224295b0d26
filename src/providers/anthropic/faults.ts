import { Fault, type UpstreamAnswer } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import { readErrorMessage } from "#protocols/error-message.ts";
import { readRetryAfterMs } from "#protocols/retry-after.ts";
import type { StreamError } from "#protocols/stream-meter.ts";
import { relayHeaders } from "./reply.ts";

/** Statuses that say something about the account or the upstream, not about the request. */
const ACCOUNT_FAULTS: ReadonlyMap<number, FaultCode> = new Map([
  [401, "upstream.credential_rejected"],
  [402, "upstream.credential_rejected"],
  [403, "upstream.forbidden"],
  [408, "upstream.timeout"],
  [429, "upstream.rate_limited"],
  [529, "upstream.overloaded"],
]);

/**
 * Messages of a 400 that are about the account. They must begin so: an answer about the request may quote what
 * the client wrote, and no client may talk an account out of use.
 */
const ACCOUNT_REFUSALS: readonly (readonly [RegExp, FaultCode])[] = [
  [/^(?:this |your )?organization has been disabled/i, "upstream.forbidden"],
  [/^(?:your )?credit balance is too low/i, "upstream.credential_rejected"],
];

/** Refusals at the door: the request was turned away before any work on it. */
const UNPROCESSED: ReadonlySet<FaultCode> = new Set([
  "upstream.credential_rejected",
  "upstream.forbidden",
  "upstream.rate_limited",
  "upstream.overloaded",
]);

/**
 * Statuses of an answer that says that the request failed as a whole: nothing was produced, and nothing will be
 * billed. Not those of a proxy that lost sight of the request (502, 504), which may have been worked on.
 */
const TAKEN_BACK: ReadonlySet<number> = new Set([500, 503]);

/** HTTP statuses of the error types, for those that come within a stream and so without a status. */
const STATUS_BY_TYPE: ReadonlyMap<string, number> = new Map([
  ["invalid_request_error", 400],
  ["authentication_error", 401],
  ["billing_error", 402],
  ["permission_error", 403],
  ["not_found_error", 404],
  ["request_too_large", 413],
  ["rate_limit_error", 429],
  ["timeout_error", 504],
  ["overloaded_error", 529],
]);

/** How much of an upstream's error text is kept for operators, in characters. */
const EXCERPT_MAX = 300;

/**
 * Reads an error answer. What the request itself caused is relayed byte for byte, because only the client
 * can mend it; what the account or the upstream caused becomes a fault of its own.
 *
 * Statuses and error types: https://platform.claude.com/docs/en/api/errors
 */
export function readFault(answer: UpstreamAnswer): Fault {
  const code = codeOf(answer);
  return faultOf(answer, code, UNPROCESSED.has(code) || TAKEN_BACK.has(answer.status));
}

/**
 * Reads an error that a stream tells of. It means what the same error means as an answer, except that the
 * upstream had taken the request in, and may have worked on it.
 */
export function readStreamError(error: StreamError): Fault {
  const answer = {
    status: STATUS_BY_TYPE.get(error.type) ?? 500,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify({ type: "error", error })),
  };
  return faultOf(answer, codeOf(answer), false);
}

function faultOf(answer: UpstreamAnswer, code: FaultCode, isUnprocessed: boolean): Fault {
  const { status, headers, body } = answer;
  const internal = `upstream answered ${status}: ${excerpt(body)}`;
  if (code === "upstream.rejected") {
    return new Fault(code, {
      internal,
      upstream: answer,
      relayed: { status, headers: relayHeaders(headers), body },
    });
  }
  const retryAfterMs = readRetryAfterMs(headers);
  return new Fault(code, { internal, upstream: answer, retryAfterMs, isUnprocessed });
}

function codeOf({ status, body }: UpstreamAnswer): FaultCode {
  const code = ACCOUNT_FAULTS.get(status);
  if (code !== undefined) return code;
  if (status >= 500) return "upstream.unavailable";
  if (status < 400) return "upstream.invalid_answer";
  const message = status === 400 ? readErrorMessage(body) : undefined;
  if (message === undefined) return "upstream.rejected";
  return ACCOUNT_REFUSALS.find(([words]) => words.test(message))?.[1] ?? "upstream.rejected";
}

function excerpt(body: Uint8Array): string {
  return new TextDecoder().decode(body.subarray(0, EXCERPT_MAX)).replaceAll(/\s+/g, " ");
}
