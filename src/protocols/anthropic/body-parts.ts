import { isUtf8 } from "node:buffer";
import { assert } from "#kernel/assert.ts";
import { Fault } from "#kernel/fault.ts";
import { type ByteRange, findField, TooDeep } from "#kernel/json-scan.ts";
import {
  type BodyField,
  type BodyOutline,
  DEPTH_MAX,
  NotJson,
  scanBody,
} from "#protocols/body-scan/scanner.ts";
import type { CallFacts } from "#protocols/call-facts.ts";
import { ExcerptMessage, excerptOfSystem } from "./excerpt.ts";
import { asRecord, type JsonRecord } from "./usage.ts";

/** Of `[` (0x5b) and `{` (0x7b), what they have in common. */
const OPENING = 0x5b;
const TOOL_RESULT_TYPES: readonly unknown[] = ["tool_result", "tool_use_result"];
const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What is read of a Messages body, in whichever way it is read. */
export interface BodyParts {
  /** The value of a top-level field; undefined when there is none. */
  readonly read: (field: BodyField) => unknown;
  /** Where the value of `model` stands; undefined when there is none, or nobody has looked. */
  readonly modelRange: ByteRange | undefined;
  readonly shape: CallFacts["messages"];
  readonly system: unknown;
  /** All messages, or those that anything depends on, in their order. */
  readonly messages: readonly unknown[];
}

/**
 * Reads a body without building its tree: nearly all of a large one is of no interest.
 *
 * @throws Fault `parse.json_invalid`, `parse.field_invalid`.
 */
export function partsByScan(body: Uint8Array): BodyParts {
  const { isObject, fields, messageCount, lastIsUsers, lastIsToolResult, excerpt } = scan(body);
  if (!isObject) throw notAnObject();
  return {
    read: (field) => valueAt(body, fields.get(field)),
    modelRange: fields.get("model"),
    shape: { count: messageCount, isUserTurn: lastIsUsers && !lastIsToolResult },
    system: excerptOfSystem(body, fields.get("system")),
    messages: excerpt.map((message) => new ExcerptMessage(body, message)),
  };
}

/**
 * Reads a body by its tree.
 *
 * @throws Fault `parse.json_invalid`, `parse.field_invalid`.
 */
export function partsByTree(body: Uint8Array): BodyParts {
  // No tree is built of a text that nests without end.
  if (openings(body) > DEPTH_MAX) rangeOfModel(body);
  const tree = treeOf(body);
  const messages = Array.isArray(tree["messages"]) ? tree["messages"] : [];
  const { system } = tree;
  return { read: (field) => tree[field], modelRange: undefined, shape: shapeOf(messages), system, messages };
}

/** Where the value of the top-level `model` stands in a body that was read and has one. */
export function modelRangeIn(body: Uint8Array): ByteRange {
  const range = rangeOfModel(body);
  assert(range, "the body names a model");
  return range;
}

/** A fault that says which field is wrong, and how, in the words of the Messages API. */
export function invalidField(publicMessage: string): Fault {
  return new Fault("parse.field_invalid", { publicMessage });
}

function scan(body: Uint8Array): BodyOutline {
  try {
    const outline = scanBody(body);
    if (isUtf8(body)) return outline;
  } catch (thrown) {
    if (thrown instanceof TooDeep) throw tooDeep(thrown);
    if (!(thrown instanceof NotJson)) throw thrown;
  }
  // Of a text that is no JSON, its nesting is said first: it need not have been reached.
  rangeOfModel(body);
  throw new Fault("parse.json_invalid");
}

function rangeOfModel(body: Uint8Array): ByteRange | undefined {
  try {
    return findField(body, "model", DEPTH_MAX);
  } catch (thrown) {
    if (!(thrown instanceof TooDeep)) throw thrown;
    throw tooDeep(thrown);
  }
}

/** How often an object or an array may begin here: those within strings are counted too, so that a glance will do. */
function openings(body: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < body.length; at++) {
    // An opening bracket and an opening brace differ in one bit.
    if (((body[at] ?? 0) & ~0x20) === OPENING) count++;
  }
  return count;
}

function treeOf(body: Uint8Array): JsonRecord {
  const tree = parsed(body);
  if (typeof tree === "object" && tree !== null && !Array.isArray(tree)) return tree as JsonRecord;
  throw notAnObject();
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(strictUtf8.decode(body));
  } catch (thrown) {
    throw new Fault("parse.json_invalid", { cause: thrown });
  }
}

/** A message whose content holds the result of a tool was sent by a program, not by a person. */
function shapeOf(messages: readonly unknown[]): CallFacts["messages"] {
  const { role, content } = asRecord(messages.at(-1));
  const isToolResult =
    Array.isArray(content) && content.some((block) => TOOL_RESULT_TYPES.includes(asRecord(block)["type"]));
  return { count: messages.length, isUserTurn: role === "user" && !isToolResult };
}

/** What is parsed here are single small values; those of no interest are never reached. */
function valueAt(body: Uint8Array, range: ByteRange | undefined): unknown {
  return range && JSON.parse(utf8.decode(body.subarray(range.start, range.end)));
}

function tooDeep({ message }: TooDeep): Fault {
  return invalidField(`The request body ${message}`);
}

function notAnObject(): Fault {
  return invalidField("The request body must be a JSON object");
}
