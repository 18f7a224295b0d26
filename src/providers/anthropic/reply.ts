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
export function relayHeaders(headers: Headers): Headers {
  const kept = new Headers();
  for (const [name, value] of headers) {
    if (RELAYED.has(name) || name.startsWith(RELAYED_PREFIX)) kept.append(name, value);
  }
  return kept;
}
