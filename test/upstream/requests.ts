import type { OpenAnswer, UpstreamRequest } from "#domain/upstream-request.ts";
import { Cancellation } from "#kernel/cancellation.ts";
import { openUpstream, type Upstream } from "#upstream/send.ts";

/** Nobody ever cancels. */
export const unlimited = new Cancellation();

/** Somebody cancels after some milliseconds. */
export function cancelledAfter(milliseconds: number): Cancellation {
  const cancellation = new Cancellation();
  setTimeout(() => cancellation.cancel(new Error("took too long")), milliseconds);
  return cancellation;
}

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

/** An answer's whole body, as text. */
export async function textOf(answer: OpenAnswer): Promise<string> {
  return new TextDecoder().decode(await answer.bytes(1_048_576));
}

/** What a promise rejects with; undefined when it does not. */
export function thrownBy(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}
