import { isIP } from "node:net";
import { Fault } from "#kernel/fault.ts";
import type { AddressPolicy } from "./address-policy.ts";

/** Longest accepted base URL in characters. */
const BASE_URL_LENGTH_MAX = 2_048;

/**
 * Names that never lead to a public host: `localhost` (RFC 6761 6.3), `local` (RFC 6762 3), `home.arpa`
 * (RFC 8375) and `internal` (reserved for private networks by the ICANN board in 2024).
 */
const PRIVATE_NAME = /(?:^|\.)(?:localhost|local|internal|home\.arpa)$/;

/** Characters a URL parser drops or rewrites silently, so that what is stored is what was written. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const REWRITTEN = /[\u0000-\u0020\u007f\\]/;

const AUTHORITY = /^https?:\/\/([^/?#]+)/i;

/** A base URL fit to be stored, without a trailing slash, or why it is not, in words for an admin. */
export type BaseUrlVerdict =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly reason: string };

/** What a base URL is checked against. */
export interface BaseUrlPolicy {
  readonly allowPrivate: boolean;
  readonly addresses: AddressPolicy;
  /** Exact origins that need no check: upstreams this very process has started. */
  readonly trustedOrigins: ReadonlySet<string>;
  /** All addresses of a name; rejects with Fault `upstream.forbidden_address` when one is forbidden. */
  readonly resolve: (hostName: string) => Promise<readonly string[]>;
}

/**
 * Judges the base URL of an account before it is stored.
 *
 * It must be http or https with a host, may hold a path, and holds neither credentials, query nor
 * fragment. Its host must be allowed by the outbound policy, whichever way it is written: the URL parser
 * reduces decimal, octal, hexadecimal, short, percent-encoded and full-width forms to one spelling. A
 * name that does not resolve is accepted, because every connection is judged again when it is made.
 */
export async function checkBaseUrl(text: string, policy: BaseUrlPolicy): Promise<BaseUrlVerdict> {
  const read = readBaseUrl(text);
  if (!read.ok) return read;
  const { origin, pathname, hostname } = new URL(read.url);
  const verdict = { ok: true, url: withoutTrailingSlash(origin + pathname) } as const;
  if (policy.trustedOrigins.has(origin)) return verdict;
  const hostName = bareHostName(hostname);
  const reason = refusalOfHost(hostName, policy) ?? (await refusalOfAddresses(hostName, policy));
  return reason === undefined ? verdict : { ok: false, reason };
}

/**
 * The host of a parsed URL as resolvers and certificates name it: without the brackets of an IPv6
 * address and without the dot that ends a fully qualified name.
 */
export function bareHostName(hostname: string): string {
  if (hostname.startsWith("[")) return hostname.slice(1, -1);
  return hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
}

function readBaseUrl(text: string): BaseUrlVerdict {
  const reason = shapeProblemOf(text);
  if (reason !== undefined) return { ok: false, reason };
  return URL.canParse(text) ? { ok: true, url: text } : { ok: false, reason: "is not a valid URL" };
}

function shapeProblemOf(text: string): string | undefined {
  if (text.length > BASE_URL_LENGTH_MAX) return `is longer than ${BASE_URL_LENGTH_MAX} characters`;
  if (REWRITTEN.test(text)) return "holds spaces, control characters or backslashes";
  const authority = AUTHORITY.exec(text)?.[1];
  if (authority === undefined) return "must begin with http:// or https:// and name a host";
  if (authority.includes("@")) return "must not hold credentials";
  if (text.includes("?")) return "must not hold a query";
  return text.includes("#") ? "must not hold a fragment" : undefined;
}

function refusalOfHost(hostName: string, policy: BaseUrlPolicy): string | undefined {
  if (isIP(hostName) !== 0) return policy.addresses.refusalOf(hostName);
  if (policy.allowPrivate || !PRIVATE_NAME.test(hostName)) return undefined;
  return `${hostName} is a name of private networks`;
}

async function refusalOfAddresses(hostName: string, policy: BaseUrlPolicy): Promise<string | undefined> {
  if (isIP(hostName) !== 0) return undefined;
  try {
    await policy.resolve(hostName);
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    return thrown.code === "upstream.forbidden_address" ? thrown.message : undefined;
  }
}

function withoutTrailingSlash(url: string): string {
  let end = url.length;
  while (url[end - 1] === "/") end--;
  return end === url.length ? url : url.slice(0, end);
}
