import type { UpstreamAnswer } from "#kernel/fault.ts";

/** An upstream's error answer; an object becomes JSON. */
export function answer(status: number, body: object | string = "", headers: object = {}): UpstreamAnswer {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: new TextEncoder().encode(text),
  };
}

/** Anthropic's envelope around a message. */
export function envelope(message: string, type = "api_error"): object {
  return { type: "error", error: { type, message }, request_id: "req_upstream" };
}
