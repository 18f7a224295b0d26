import { isUtf8 } from "node:buffer";
import { Fault } from "#kernel/fault.ts";
import { type ByteRange, findField, TooDeep } from "#kernel/json-scan.ts";
import {
  type BodyField,
  type BodyOutline,
  DEPTH_MAX,
  NotJson,
  scanBody,
} from "#protocols/body-scan/scanner.ts";
import type { CallFacts, SessionSeed } from "#protocols/call-facts.ts";
import { sessionKey } from "#protocols/session-key.ts";
import { claudeCodeVersion, hasClaudeCodeMarks } from "./claude-code.ts";
import { ExcerptMessage, excerptOfSystem } from "./excerpt.ts";
import { readHousekeeping } from "./housekeeping.ts";
import { asRecord } from "./usage.ts";

/** Longest model name and session id that are believed, in characters. */
const NAME_LENGTH_MAX = 256;

const EFFORTS = ["low", "medium", "high", "max"] as const;
const THINKING_TYPES: readonly unknown[] = ["enabled", "adaptive"];
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads what routing needs from a Messages API body. Of duplicate keys the last one counts. Runs where the
 * body arrives or on a thread of the parse pool, with the same result.
 *
 * @throws Fault `parse.body_empty`, `parse.json_invalid`, `parse.model_missing`, `parse.field_invalid`.
 */
export function readMessages(body: Uint8Array, seed: SessionSeed): CallFacts {
  if (body.length === 0) throw new Fault("parse.body_empty");
  const { isObject, fields, messageCount, lastIsUsers, lastIsToolResult, excerpt } = scan(body);
  if (!isObject) throw invalid("The request body must be a JSON object");
  const read = (field: BodyField): unknown => valueAt(body, fields.get(field));
  const stream = read("stream");
  if (stream !== undefined && typeof stream !== "boolean") {
    throw invalid("stream: Input should be a valid boolean");
  }
  const model = readModel(read("model"));
  const modelRange = fields.get("model");
  if (modelRange === undefined) throw new Fault("parse.model_missing");
  const maxTokens = read("max_tokens");
  const metadataUserId = userIdOf(read("metadata"));
  const system = excerptOfSystem(body, fields.get("system"));
  const messages = excerpt.map((message) => new ExcerptMessage(body, message));
  return {
    model,
    modelRange,
    stream: stream ?? false,
    maxTokens: typeof maxTokens === "number" && Number.isSafeInteger(maxTokens) ? maxTokens : 0,
    thinking: THINKING_TYPES.includes(asRecord(read("thinking"))["type"]),
    effort: effortOf(read("output_config")),
    metadataUserId,
    messages: { count: messageCount, isUserTurn: lastIsUsers && !lastIsToolResult },
    isClaudeCodeBody:
      claudeCodeVersion(seed.userAgent) !== undefined && hasClaudeCodeMarks(system, metadataUserId),
    housekeeping: readHousekeeping(system, messages),
    sessionKey: sessionKey({ metadataUserId, system, messages }, seed),
    payloadHash: Bun.hash.xxHash64(body).toString(16),
  };
}

/** Refuses what is no JSON text in UTF-8. No tree is built: nearly all of a large body is of no interest. */
function scan(body: Uint8Array): BodyOutline {
  try {
    const outline = scanBody(body);
    if (isUtf8(body)) return outline;
  } catch (thrown) {
    if (thrown instanceof TooDeep) throw tooDeep(thrown);
    if (!(thrown instanceof NotJson)) throw thrown;
  }
  throw refusal(body);
}

/** Of a text that is no JSON, its nesting is said first: it need not have been reached. */
function refusal(body: Uint8Array): Fault {
  try {
    findField(body, "model", DEPTH_MAX);
  } catch (thrown) {
    if (thrown instanceof TooDeep) return tooDeep(thrown);
    throw thrown;
  }
  return new Fault("parse.json_invalid");
}

function tooDeep({ message }: TooDeep): Fault {
  return invalid(`The request body ${message}`);
}

/** What is parsed here are single small values; those of no interest are never reached. */
function valueAt(body: Uint8Array, range: ByteRange | undefined): unknown {
  return range && JSON.parse(utf8.decode(body.subarray(range.start, range.end)));
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

function invalid(publicMessage: string): Fault {
  return new Fault("parse.field_invalid", { publicMessage });
}
