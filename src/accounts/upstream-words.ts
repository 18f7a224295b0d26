import type { Fault, UpstreamAnswer } from "#kernel/fault.ts";
import { readErrorMessage } from "#protocols/error-message.ts";

/** Longest message of an upstream that is kept with an account, in bytes. */
const MESSAGE_BYTES_MAX = 512;

/** What must not be shown where upstreams quote the address or the credential that was used. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/((?:key|client_secret|access_token|refresh_token)=)[^&\s"'<>]+/gi, "$1***"],
  [/\b(Bearer\s+|sk-)[\w.~+/=-]{8,}/gi, "$1***"],
];

/** What a refusal is called, and what it says where the upstream gives no words of its own. */
const REFUSALS: ReadonlyMap<number, readonly [heading: string, fallback: string]> = new Map([
  [401, ["Authentication failed", "invalid or expired credentials"]],
  [402, ["Payment required", "insufficient balance or billing issue"]],
  [403, ["Access forbidden", "account may be suspended or lack permissions"]],
  [429, ["Rate limited", "no reason given"]],
  [529, ["Overloaded", "no reason given"]],
]);

/** Why an account's state changes, for operators: the kind of refusal, its status and the upstream's words. */
export function refusalWords(fault: Fault, { status, body }: UpstreamAnswer): string {
  const [heading, fallback] = REFUSALS.get(status) ?? [headingOf(fault), "no reason given"];
  return `${heading} (${status}): ${messageOf(body) ?? fallback}`;
}

/** The same, for a status that the account is told to be taken out of use for. */
export function handledWords({ status, body }: UpstreamAnswer): string {
  return `Custom error code ${status}: ${messageOf(body) ?? "no reason given"}`;
}

/** A fault in words that may be kept: without secrets, and not long. */
export function faultWords(fault: Fault): string {
  return shortened(masked(`${fault.code}: ${fault.message}`));
}

function headingOf({ code }: Fault): string {
  if (code === "upstream.credential_rejected") return "Credit balance exhausted";
  return code === "upstream.forbidden" ? "Organization disabled" : "Upstream unavailable";
}

function messageOf(body: Uint8Array): string | undefined {
  const message = readErrorMessage(body);
  return message === undefined ? undefined : shortened(masked(message));
}

function masked(text: string): string {
  return SECRETS.reduce((shown, [secret, mask]) => shown.replaceAll(secret, mask), text);
}

/** Cuts between characters. */
function shortened(text: string): string {
  const bytes = new Uint8Array(MESSAGE_BYTES_MAX);
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return text.slice(0, read);
}
