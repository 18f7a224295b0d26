import { type ByteRange, findField, splice, TooDeep } from "#kernel/json-scan.ts";

/** Deepest nesting of an answer that is looked into. */
const DEPTH_MAX = 256;

/** The event that names the model, as its `event` line or as the `type` in its data. */
const START = "message_start";
const LF = 10;
const CR = 13;
const SPACE = 32;

/** The answer with another name in its `model`; undefined when it names none. */
export function renameModelOfMessage(body: Uint8Array, model: string): Uint8Array | undefined {
  const range = rangeOf(body, "model");
  return range && splice(body, range, new TextEncoder().encode(JSON.stringify(model)));
}

/**
 * Whole events of a stream with another name in the `model` of their `message_start`, the only event that names
 * one; undefined when it is not among them.
 *
 * The event is known by its `event` line or, without one, by the `type` in its data; its data may stand on several
 * lines (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation).
 */
export function renameModelOfEvents(events: Uint8Array, model: string): Uint8Array | undefined {
  const bytes = Buffer.from(events.buffer, events.byteOffset, events.byteLength);
  if (!bytes.includes(START)) return undefined;
  for (let start = 0; start < bytes.length; ) {
    const event = readEvent(bytes, start);
    const range = modelRange(bytes, event);
    if (range !== undefined) return splice(bytes, range, new TextEncoder().encode(JSON.stringify(model)));
    start = event.end;
  }
  return undefined;
}

interface EventLines {
  /** Its values of `data`, in order. */
  readonly data: readonly ByteRange[];
  /** Empty when no line names it. */
  readonly name: string;
  /** Where the next event begins. */
  readonly end: number;
}

/** Reads the event whose first line begins at `start`. */
function readEvent(bytes: Buffer, start: number): EventLines {
  const data: ByteRange[] = [];
  let name = "";
  for (let at = start; at < bytes.length; ) {
    const found = bytes.indexOf(LF, at);
    const lf = found === -1 ? bytes.length : found;
    const end = lf > at && bytes[lf - 1] === CR ? lf - 1 : lf;
    const next = lf + 1;
    if (end === at) return { name, data, end: next };
    const field = readField(bytes, { start: at, end });
    if (field?.name === "data") data.push(field.value);
    else if (field?.name === "event") name = bytes.toString("utf8", field.value.start, field.value.end);
    at = next;
  }
  return { name, data, end: bytes.length };
}

/** A line's field and value; one space after the colon belongs to neither. Undefined for a field of no interest. */
function readField(
  bytes: Buffer,
  { start, end }: ByteRange,
): { readonly name: "data" | "event"; readonly value: ByteRange } | undefined {
  const name = (["data", "event"] as const).find(
    (field) => bytes.toString("latin1", start, Math.min(start + field.length + 1, end)) === `${field}:`,
  );
  if (name === undefined) return undefined;
  const colonEnd = start + name.length + 1;
  return { name, value: { start: bytes[colonEnd] === SPACE ? Math.min(colonEnd + 1, end) : colonEnd, end } };
}

/**
 * Where in the stream the `model` of a `message_start` stands. A string of JSON never spans lines, so wherever the
 * data is broken, the value stands on one of them.
 */
function modelRange(bytes: Buffer, { name, data: lines }: EventLines): ByteRange | undefined {
  if (name !== "" && name !== START) return undefined;
  const data = joined(bytes, lines);
  if (name === "" && textAt(data, rangeOf(data, "type")) !== `"${START}"`) return undefined;
  const message = rangeOf(data, "message");
  const model = message && rangeOf(data.subarray(message.start, message.end), "model");
  if (message === undefined || model === undefined) return undefined;
  return placeOf({ start: message.start + model.start, end: message.start + model.end }, lines);
}

/** Where a range of the joined lines stands in the stream; undefined when it is not all on one line. */
function placeOf({ start, end }: ByteRange, lines: readonly ByteRange[]): ByteRange | undefined {
  let lineStart = 0;
  for (const line of lines) {
    const lineEnd = lineStart + line.end - line.start;
    const offset = line.start - lineStart;
    if (start < lineEnd) return end <= lineEnd ? { start: offset + start, end: offset + end } : undefined;
    lineStart = lineEnd + 1;
  }
  return undefined;
}

function textAt(bytes: Buffer, range: ByteRange | undefined): string | undefined {
  return range && bytes.toString("utf8", range.start, range.end);
}

/** The data as a reader of the stream sees it: its lines with a line end between. */
function joined(bytes: Buffer, lines: readonly ByteRange[]): Buffer {
  const [first] = lines;
  if (lines.length === 1 && first !== undefined) return bytes.subarray(first.start, first.end);
  const parts = lines.flatMap(({ start, end }) => [bytes.subarray(start, end), Buffer.of(LF)]);
  return Buffer.concat(parts.slice(0, -1));
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
