import { Fault } from "#kernel/fault.ts";
import type { CallFacts, SessionSeed } from "#protocols/call-facts.ts";
import { sessionKey } from "#protocols/session-key.ts";
import { invalidField, partsByScan, partsByTree } from "./body-parts.ts";
import { claudeCodeVersion, hasClaudeCodeMarks } from "./claude-code.ts";
import { readHousekeeping } from "./housekeeping.ts";
import { asRecord } from "./usage.ts";

/** Longest model name and session id that are believed, in characters. */
const NAME_LENGTH_MAX = 256;

const EFFORTS = ["low", "medium", "high", "max"] as const;
/** In bytes: below some two thousand, the tree costs less than a scan. */
const TREE_BYTES_MAX = 2_048;
const THINKING_TYPES: readonly unknown[] = ["enabled", "adaptive"];

/**
 * Reads what routing needs from a Messages API body. Of duplicate keys the last one counts. Runs where the
 * body arrives or on a thread of the parse pool, with the same result.
 *
 * @param treeBytesMax up to this size a body's whole tree is built, which says the same and is quicker for small ones.
 * @throws Fault `parse.body_empty`, `parse.json_invalid`, `parse.model_missing`, `parse.field_invalid`.
 */
export function readMessages(
  body: Uint8Array,
  seed: SessionSeed,
  treeBytesMax: number = TREE_BYTES_MAX,
): CallFacts {
  if (body.length === 0) throw new Fault("parse.body_empty");
  const { read, modelRange, shape, system, messages } =
    body.length <= treeBytesMax ? partsByTree(body) : partsByScan(body);
  const stream = read("stream");
  if (stream !== undefined && typeof stream !== "boolean") {
    throw invalidField("stream: Input should be a valid boolean");
  }
  const model = readModel(read("model"));
  const maxTokens = read("max_tokens");
  const metadataUserId = userIdOf(read("metadata"));
  return {
    model,
    modelRange,
    stream: stream ?? false,
    maxTokens: typeof maxTokens === "number" && Number.isSafeInteger(maxTokens) ? maxTokens : 0,
    thinking: THINKING_TYPES.includes(asRecord(read("thinking"))["type"]),
    effort: effortOf(read("output_config")),
    metadataUserId,
    messages: shape,
    isClaudeCodeBody:
      claudeCodeVersion(seed.userAgent) !== undefined && hasClaudeCodeMarks(system, metadataUserId),
    housekeeping: readHousekeeping(system, messages),
    sessionKey: sessionKey({ metadataUserId, system, messages }, seed),
    payloadHash: Bun.hash.xxHash64(body).toString(16),
  };
}

function readModel(model: unknown): string {
  if (model === undefined || model === "") throw new Fault("parse.model_missing");
  if (typeof model !== "string") throw invalidField("model: Input should be a valid string");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (/[\u0000-\u001f\u007f]/.test(model) || !model.isWellFormed()) {
    throw invalidField("model: must not hold control characters or broken surrogate pairs");
  }
  if (model.length > NAME_LENGTH_MAX) throw invalidField(`model: at most ${NAME_LENGTH_MAX} characters`);
  return model;
}

function effortOf(outputConfig: unknown): CallFacts["effort"] {
  const effort = asRecord(outputConfig)["effort"];
  return typeof effort === "string"
    ? EFFORTS.find((known) => known === effort.trim().toLowerCase())
    : undefined;
}

function userIdOf(metadata: unknown): string | undefined {
  const userId = asRecord(metadata)["user_id"];
  return typeof userId === "string" ? userId : undefined;
}
