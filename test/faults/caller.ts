import type { Form } from "./scenario.ts";

/** Longest a caller waits for an answer to end, in milliseconds; beyond that it hangs. */
const HANG_MS = 12_000;

/** One event of a streamed answer, as it arrived. */
export interface SeenEvent {
  readonly name: string;
  readonly data: { readonly [key: string]: unknown };
  readonly atMs: number;
}

/** What arrived of one answer. */
export interface CallerView {
  /** Undefined: the connection ended without an answer. */
  readonly status: number | undefined;
  readonly headers: Headers;
  readonly text: string;
  readonly events: readonly SeenEvent[];
  /** The answer came to its proper end. */
  readonly isWhole: boolean;
  /** It says itself that it is not whole: an error status, or an error event at its end. */
  readonly isExplicitError: boolean;
  readonly hangs: boolean;
  readonly beganAtMs: number;
  readonly endedAtMs: number;
}

/** What is asked for, and how. */
export interface Question {
  readonly url: string;
  readonly key: string;
  readonly form: Form;
  readonly body?: Record<string, unknown>;
}

/** Asks as a client would, and notes all that comes back and when. Never throws. */
export async function askAsCaller({ url, key, form, body = {} }: Question): Promise<CallerView> {
  const beganAtMs = Date.now();
  const giveUp = AbortSignal.timeout(HANG_MS);
  const events: SeenEvent[] = [];
  let text = "";
  let answer: Response | undefined;
  try {
    answer = await fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": key, "content-type": "application/json", "anthropic-version": "2023-06-01" },
      body: JSON.stringify({
        model: "claude-sonnet-4-6",
        max_tokens: 200,
        stream: form === "streamed",
        messages: [{ role: "user", content: "Hello" }],
        ...body,
      }),
      signal: giveUp,
    });
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of answer.body ?? []) {
      const piece = decoder.decode(chunk, { stream: true });
      text += piece;
      const parts = `${rest}${piece}`.split(/\r?\n\r?\n/);
      rest = parts.pop() ?? "";
      events.push(...parts.flatMap((part) => eventOf(part)));
    }
  } catch {
    // The connection broke, or the caller gave up: what has come until then is the answer.
  }
  const isStream = answer?.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
  return {
    status: answer?.status,
    headers: answer?.headers ?? new Headers(),
    text,
    events,
    isWhole: answer?.ok === true && (isStream ? isWholeStream(events) : isWholeMessage(text)),
    isExplicitError: isStream ? events.at(-1)?.name === "error" : (answer?.status ?? 0) >= 400,
    hangs: giveUp.aborted,
    beganAtMs,
    endedAtMs: Date.now(),
  };
}

function eventOf(part: string): readonly SeenEvent[] {
  const lines = part.split(/\r?\n/);
  const field = (name: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const data = field("data");
  if (data === undefined) return [];
  return [{ name: field("event") ?? "", data: parsed(data), atMs: Date.now() }];
}

function parsed(data: string): SeenEvent["data"] {
  try {
    return JSON.parse(data) as SeenEvent["data"];
  } catch {
    // Nonsense that an upstream has sent.
    return {};
  }
}

function isWholeMessage(text: string): boolean {
  const { type, stop_reason: reason } = parsed(text) as { type?: string; stop_reason?: string };
  return type === "message" && typeof reason === "string";
}

/** The course of an answer: a start, blocks that are opened, filled and closed, one after the other, and an end. */
function isWholeStream(events: readonly SeenEvent[]): boolean {
  let state: State = "before";
  for (const { name } of events) {
    if (name === "ping") continue;
    const next: State | undefined = NEXT[`${state} ${name}`];
    if (next === undefined) return false;
    state = next;
  }
  return state === "over";
}

type State = "before" | "between" | "block" | "closing" | "over";

const NEXT: Readonly<Record<string, State>> = {
  "before message_start": "between",
  "between content_block_start": "block",
  "block content_block_delta": "block",
  "block content_block_stop": "between",
  "between message_delta": "closing",
  "closing message_stop": "over",
};
