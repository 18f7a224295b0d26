import { type ByteRange, findField, splice, TooDeep } from "#kernel/json-scan.ts";

/** Deepest nesting of an answer that is looked into. */
const DEPTH_MAX = 256;

const MESSAGE_START = Buffer.from("event: message_start");
const DATA = Buffer.from("data:");
const LF = 10;

/** The answer with another name in its `model`; undefined when it names none. */
export function renameModelOfMessage(body: Uint8Array, model: string): Uint8Array | undefined {
  const range = rangeOf(body, "model");
  return range && splice(body, range, new TextEncoder().encode(JSON.stringify(model)));
}

/**
 * Whole events of a stream with another name in the `model` of their `message_start`, the only event that names
 * one; undefined when it is not among them.
 */
export function renameModelOfEvents(events: Uint8Array, model: string): Uint8Array | undefined {
  const bytes = Buffer.from(events.buffer, events.byteOffset, events.byteLength);
  const event = bytes.indexOf(MESSAGE_START);
  const line = event === -1 ? -1 : bytes.indexOf(DATA, event);
  if (line === -1) return undefined;
  const start = line + DATA.length;
  const lineEnd = bytes.indexOf(LF, start);
  const data = bytes.subarray(start, lineEnd === -1 ? bytes.length : lineEnd);
  const message = rangeOf(data, "message");
  const name = message && rangeOf(data.subarray(message.start, message.end), "model");
  if (message === undefined || name === undefined) return undefined;
  const offset = start + message.start;
  const range = { start: offset + name.start, end: offset + name.end };
  return splice(bytes, range, new TextEncoder().encode(JSON.stringify(model)));
}

function rangeOf(text: Uint8Array, field: string): ByteRange | undefined {
  try {
    return findField(text, field, DEPTH_MAX);
  } catch (thrown) {
    // The client gets such an answer as it came.
    if (thrown instanceof TooDeep) return undefined;
    throw thrown;
  }
}
