import type { UpstreamRequest } from "#domain/upstream-request.ts";
import { openUpstream, type Upstream } from "#upstream/send.ts";

/** A signal that never aborts. */
export const unlimited: AbortSignal = new AbortController().signal;

/** A small POST as a provider would build it. */
export function post(url: string, headers: Readonly<Record<string, string>> = {}): UpstreamRequest {
  return {
    method: "POST",
    url,
    headers: { "user-agent": "test", accept: "*/*", "content-type": "application/json", ...headers },
    body: new TextEncoder().encode('{"model":"m"}'),
  };
}

/** A way out that may use loopback, with names answered from a table. */
export function openWithNames(
  names: Readonly<Record<string, readonly string[]>>,
  options: { readonly allowPrivate?: boolean; readonly certificateAuthorities?: string } = {},
): Upstream {
  return openUpstream({
    allowPrivate: true,
    trustedOrigins: [],
    lookup: async (name) => names[name] ?? Promise.reject(new Error("no such name")),
    ...options,
  });
}

/** What a promise rejects with; undefined when it does not. */
export function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}
