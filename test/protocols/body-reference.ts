import { claudeCodeVersion, hasClaudeCodeMarks } from "#protocols/anthropic/claude-code.ts";
import { readHousekeeping } from "#protocols/anthropic/housekeeping.ts";
import { asRecord } from "#protocols/anthropic/usage.ts";
import type { CallFacts, SessionSeed } from "#protocols/call-facts.ts";
import { sessionKey } from "#protocols/session-key.ts";

/** What is said of a body: its facts, or why it is refused. The model's place is said by what stands there. */
export type Verdict = (Omit<CallFacts, "modelRange"> & { readonly modelText: unknown }) | string;

const DEPTH_MAX = 256;
const EFFORTS: readonly unknown[] = ["low", "medium", "high", "max"];
const TOOL_RESULTS: readonly unknown[] = ["tool_result", "tool_use_result"];
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const invalid = (words: string): string => `parse.field_invalid: ${words}`;

/** Reads a body by the platform's own parser and the tree it builds: slow, and right by definition. */
export function referenceVerdict(body: Uint8Array, seed: SessionSeed): Verdict {
  if (body.length === 0) return "parse.body_empty";
  if (deepest(body) > DEPTH_MAX) return invalid("The request body nests deeper than 256 levels");
  let parsed: unknown;
  try {
    parsed = JSON.parse(utf8.decode(body));
  } catch {
    return "parse.json_invalid";
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    return invalid("The request body must be a JSON object");
  }
  const tree = parsed as Record<string, unknown>;
  const refusal = refusalOf(tree);
  if (refusal !== undefined) return refusal;
  const { modelRange: _, ...facts } = factsOf(tree, body, seed);
  return { ...facts, modelText: tree["model"] };
}

function refusalOf({ model, stream }: Record<string, unknown>): string | undefined {
  if (stream !== undefined && typeof stream !== "boolean") {
    return invalid("stream: Input should be a valid boolean");
  }
  if (model === undefined || model === "") return "parse.model_missing";
  if (typeof model !== "string") return invalid("model: Input should be a valid string");
  if (/\p{Cc}/u.test(model.replaceAll(/[\u0080-\u009f]/g, "")) || !model.isWellFormed()) {
    return invalid("model: must not hold control characters or broken surrogate pairs");
  }
  return model.length > 256 ? invalid("model: at most 256 characters") : undefined;
}

function factsOf(tree: Record<string, unknown>, body: Uint8Array, seed: SessionSeed): CallFacts {
  const { stream, system, max_tokens: maxTokens } = tree;
  const userId = asRecord(tree["metadata"])["user_id"];
  const metadataUserId = typeof userId === "string" ? userId : undefined;
  const messages: readonly unknown[] = Array.isArray(tree["messages"]) ? tree["messages"] : [];
  const last = asRecord(messages.at(-1));
  const content: readonly unknown[] = Array.isArray(last["content"]) ? last["content"] : [];
  const isToolResult = content.some((block) => TOOL_RESULTS.includes(asRecord(block)["type"]));
  const effort = asRecord(tree["output_config"])["effort"];
  const level = typeof effort === "string" ? effort.trim().toLowerCase() : undefined;
  return {
    model: String(tree["model"]),
    modelRange: { start: 0, end: 0 },
    stream: stream === true,
    maxTokens: typeof maxTokens === "number" && Number.isSafeInteger(maxTokens) ? maxTokens : 0,
    thinking: ["enabled", "adaptive"].some((type) => asRecord(tree["thinking"])["type"] === type),
    effort: EFFORTS.includes(level) ? (level as CallFacts["effort"]) : undefined,
    metadataUserId,
    messages: { count: messages.length, isUserTurn: last["role"] === "user" && !isToolResult },
    isClaudeCodeBody:
      claudeCodeVersion(seed.userAgent) !== undefined && hasClaudeCodeMarks(system, metadataUserId),
    housekeeping: readHousekeeping(system, messages),
    sessionKey: sessionKey({ metadataUserId, system, messages }, seed),
    payloadHash: Bun.hash.xxHash64(body).toString(16),
  };
}

/** How deep brackets nest outside of strings, whether or not the text is JSON. */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: in one piece it is plain to see that this is right.
function deepest(body: Uint8Array): number {
  let most = 0;
  let depth = 0;
  let isInString = false;
  for (let at = 0; at < body.length; at++) {
    const byte = body[at];
    if (isInString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) isInString = false;
    } else if (byte === 0x22) isInString = true;
    else if (byte === 0x5b || byte === 0x7b) most = Math.max(most, ++depth);
    else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return most;
}
