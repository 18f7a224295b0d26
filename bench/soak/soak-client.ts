import { judge } from "#support/event-stream.ts";
import type { SoakScenario } from "./soak-mix.ts";

/** When a client that leaves before the head does so, in milliseconds. */
const LEAVES_AFTER_MS = 10;
const MODEL = "claude-sonnet-4-6";
const LARGE_BYTES = 300_000;

/** How a request ended, as its client saw it. `truncated` must never be. */
export type SoakEnd = "whole" | "error" | "refused" | "left" | "broken" | "truncated";

/** One answer. */
export interface SoakAnswer {
  readonly end: SoakEnd;
  /** Sluice's own id; empty where no head was seen. */
  readonly requestId: string;
}

/** Where requests go, and with which key. */
export interface SoakTarget {
  readonly url: string;
  readonly key: string;
}

/** Sends one request of a kind and sees its answer to the end, or leaves it. */
export async function sendOne({ url, key }: SoakTarget, scenario: SoakScenario): Promise<SoakAnswer> {
  const leaving = new AbortController();
  const timer =
    scenario.leaves === "before the head" ? setTimeout(() => leaving.abort(), LEAVES_AFTER_MS) : undefined;
  let requestId = "";
  try {
    const answer = await fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": scenario.spoilt === "key" ? "sk-unknown" : key },
      body: bodyOf(scenario),
      signal: leaving.signal,
    });
    requestId = answer.headers.get("x-sluice-request-id") ?? "";
    if (scenario.leaves === "amid the stream") {
      await answer.body?.getReader().read();
      leaving.abort();
      return { end: "left", requestId };
    }
    return { end: endOf(answer, await answer.text()), requestId };
  } catch {
    return { end: leaving.signal.aborted ? "left" : "broken", requestId };
  } finally {
    clearTimeout(timer);
  }
}

function endOf(answer: Response, text: string): SoakEnd {
  if (!answer.ok) return "refused";
  if (answer.headers.get("content-type")?.startsWith("text/event-stream")) return judge(text);
  return text.includes('"stop_reason"') ? "whole" : "truncated";
}

function bodyOf({ stream = false, plan, spoilt }: SoakScenario): string {
  if (spoilt === "body") return '{"model":';
  const content = spoilt === "large" ? "x".repeat(LARGE_BYTES) : "Hi";
  const messages = [{ role: "user", content }];
  return JSON.stringify({ model: MODEL, max_tokens: 64, stream, messages, simulator: plan ?? {} });
}
