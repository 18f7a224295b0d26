import type { HeaderRecord } from "#kernel/headers.ts";

/** Headers of an answer that clients of the Messages API rely on. */
const RELAYED: ReadonlySet<string> = new Set([
  "content-type",
  "content-encoding",
  "request-id",
  "retry-after",
  "x-should-retry",
]);
const RELAYED_PREFIX = "anthropic-ratelimit-";

/** Keeps the headers a client may rely on; hop-by-hop and infrastructure headers stay behind. */
export function relayHeaders(headers: HeaderRecord): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name in headers) {
    if (!isRelayed(name)) continue;
    const value = headers[name];
    // Only cookies come as lists, and they are not among those kept.
    if (typeof value === "string") kept[name] = value;
  }
  return kept;
}

function isRelayed(name: string): boolean {
  return RELAYED.has(name) || name.startsWith(RELAYED_PREFIX);
}
