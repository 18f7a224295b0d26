import { Fault } from "#kernel/fault.ts";
import { type ByteRange, findField, TooDeep } from "#kernel/json-scan.ts";
import type { CallFacts, MessageShape, SessionSeed } from "#protocols/call-facts.ts";
import { sessionKey } from "#protocols/session-key.ts";
import { claudeCodeVersion, hasClaudeCodeMarks } from "./claude-code.ts";
import { readHousekeeping } from "./housekeeping.ts";
import { asRecord, type JsonRecord } from "./usage.ts";

/** Deepest nesting of a body that is read; real conversations stay below 30. */
const DEPTH_MAX = 256;
/** Longest model name and session id that are believed, in characters. */
const NAME_LENGTH_MAX = 256;

const EFFORTS = ["low", "medium", "high", "max"] as const;
const THINKING_TYPES: readonly unknown[] = ["enabled", "adaptive"];
const TOOL_RESULT_TYPES: readonly unknown[] = ["tool_result", "tool_use_result"];
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads what routing needs from a Messages API body. Of duplicate keys the last one counts. Runs where the
 * body arrives or on a thread of the parse pool, with the same result.
 *
 * @throws Fault `parse.body_empty`, `parse.json_invalid`, `parse.model_missing`, `parse.field_invalid`.
 */
export function readMessages(body: Uint8Array, seed: SessionSeed): CallFacts {
  if (body.length === 0) throw new Fault("parse.body_empty");
  const modelRange = rangeOfModel(body);
  const tree = readObject(body);
  const { stream, max_tokens: maxTokens, system } = tree;
  if (stream !== undefined && typeof stream !== "boolean") {
    throw invalid("stream: Input should be a valid boolean");
  }
  const model = readModel(tree["model"]);
  if (modelRange === undefined) throw new Fault("parse.model_missing");
  const metadataUserId = userIdOf(tree);
  const messages = Array.isArray(tree["messages"]) ? tree["messages"] : [];
  return {
    model,
    modelRange,
    stream: stream ?? false,
    maxTokens: typeof maxTokens === "number" && Number.isSafeInteger(maxTokens) ? maxTokens : 0,
    thinking: THINKING_TYPES.includes(asRecord(tree["thinking"])["type"]),
    effort: effortOf(tree),
    metadataUserId,
    messages: shapeOf(messages),
    isClaudeCodeBody:
      claudeCodeVersion(seed.userAgent) !== undefined && hasClaudeCodeMarks(system, metadataUserId),
    housekeeping: readHousekeeping(system, messages),
    sessionKey: sessionKey({ metadataUserId, system, messages }, seed),
    payloadHash: Bun.hash.xxHash64(body).toString(16),
  };
}

function rangeOfModel(body: Uint8Array): ByteRange | undefined {
  try {
    return findField(body, "model", DEPTH_MAX);
  } catch (thrown) {
    if (!(thrown instanceof TooDeep)) throw thrown;
    throw invalid(`The request body ${thrown.message}`);
  }
}

function readObject(body: Uint8Array): JsonRecord {
  const tree = readJson(body);
  if (typeof tree === "object" && tree !== null && !Array.isArray(tree)) return tree as JsonRecord;
  throw invalid("The request body must be a JSON object");
}

function readJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch (thrown) {
    throw new Fault("parse.json_invalid", { cause: thrown });
  }
}

function readModel(model: unknown): string {
  if (model === undefined || model === "") throw new Fault("parse.model_missing");
  if (typeof model !== "string") throw invalid("model: Input should be a valid string");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (/[\u0000-\u001f\u007f]/.test(model) || !model.isWellFormed()) {
    throw invalid("model: must not hold control characters or broken surrogate pairs");
  }
  if (model.length > NAME_LENGTH_MAX) throw invalid(`model: at most ${NAME_LENGTH_MAX} characters`);
  return model;
}

function effortOf(tree: JsonRecord): CallFacts["effort"] {
  const effort = asRecord(tree["output_config"])["effort"];
  return typeof effort === "string"
    ? EFFORTS.find((known) => known === effort.trim().toLowerCase())
    : undefined;
}

function userIdOf(tree: JsonRecord): string | undefined {
  const userId = asRecord(tree["metadata"])["user_id"];
  return typeof userId === "string" ? userId : undefined;
}

/** A message whose content holds the result of a tool was sent by a program, not by a person. */
function shapeOf(messages: readonly unknown[]): MessageShape {
  const last = asRecord(messages.at(-1));
  const content = last["content"];
  const isToolResult =
    Array.isArray(content) && content.some((block) => TOOL_RESULT_TYPES.includes(asRecord(block)["type"]));
  return { count: messages.length, isUserTurn: last["role"] === "user" && !isToolResult };
}

function invalid(publicMessage: string): Fault {
  return new Fault("parse.field_invalid", { publicMessage });
}
