import { Fault } from "#kernel/fault.ts";
import { UnsentFault } from "./unsent-fault.ts";

/**
 * Codes Bun gives only when no connection came about, so the request cannot have left. `ETIMEDOUT`
 * belongs here: an established connection that times out is reported as `ECONNRESET`.
 */
const NEVER_CONNECTED: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "ETIMEDOUT",
  "ENOTFOUND",
  "EAI_AGAIN",
]);

/** Names of certificate verdicts (X509_V_ERR_* of OpenSSL and Node's own for a wrong name). */
const CERTIFICATE_REJECTED = /CERT|LEAF_SIGNATURE|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|HOSTNAME_MISMATCH/;

/** Bun's code for a failed handshake; a connection that breaks TLS after the request has the same one. */
const TLS_PROTOCOL_ERROR = "EPROTO";

/** What Bun calls an answer that is not HTTP, or whose body is not in the content coding it claims. */
const UNREADABLE_ANSWER = /^(?:Malformed_HTTP_Response|Invalid[A-Z]\w+|(?:Zlib|Brotli|Zstd)\w*Error)$/;

/**
 * Names a failure of the transport before the answer's head was there.
 *
 * Certain that the request did not arrive: an {@link UnsentFault}. Otherwise `upstream.connect_failed` for
 * a TLS protocol error, `upstream.invalid_answer` for an answer that cannot be read and `upstream.reset` for
 * every other end of the connection. What carries no error code did not come from the transport; it is
 * a mistake in this program and becomes `gateway.internal`.
 *
 * The detail names host and code only. The transport's own error is not kept as `cause`: it quotes the
 * whole URL, and some platforms take the credential in the query.
 */
export function readConnectionFault(thrown: unknown, host: string): Fault {
  const code = codeOf(thrown);
  if (code === undefined) return Fault.from(thrown);
  const detail = { internal: `${code} from ${host}` };
  if (NEVER_CONNECTED.has(code) || CERTIFICATE_REJECTED.test(code)) {
    return new UnsentFault("upstream.connect_failed", detail);
  }
  if (code === TLS_PROTOCOL_ERROR) return new Fault("upstream.connect_failed", detail);
  return new Fault(UNREADABLE_ANSWER.test(code) ? "upstream.invalid_answer" : "upstream.reset", detail);
}

function codeOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}
