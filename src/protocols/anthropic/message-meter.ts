import { NO_USAGE, type TokenUsage } from "#domain/usage-record.ts";
import type { StreamError, StreamMeter } from "#protocols/stream-meter.ts";
import { AnswerCourse } from "./answer-course.ts";
import { asRecord, mergeUsage } from "./usage.ts";

const LF = 10;
const CR = 13;
const COLON = 58;
const SPACE = 32;

/** Longest line that is read; the rest of a longer one is passed over. Content deltas are never kept. */
const LINE_BYTES_MAX = 1_048_576;
/** Most data of one event that is kept, in bytes, over all its lines; an event with more is passed over. */
const EVENT_BYTES_MAX = 1_048_576;

/**
 * What stands around the text in the data of a `content_block_delta`, in bytes, and how many bytes of text make
 * one token; see `input_tokens` in https://platform.claude.com/docs/en/about-claude/glossary#tokens.
 */
const DELTA_FRAME_BYTES = 76;
const BYTES_PER_TOKEN = 3.5;

/** Events whose data is read; of all others only the name matters. */
const READ_EVENTS: ReadonlySet<string> = new Set([
  "",
  "message_start",
  "message_delta",
  "message_stop",
  "error",
]);

/** Names of which every answer has many, as bytes: telling them apart costs less than reading each. */
const KNOWN_EVENTS = [
  "content_block_delta",
  "content_block_start",
  "content_block_stop",
  "message_start",
  "message_delta",
  "message_stop",
  "ping",
].map((name) => ({ name, bytes: new TextEncoder().encode(name) }));

/**
 * Meters a stream of the Messages API.
 *
 * Works on bytes and looks only at line starts, so that the many content deltas cost a search for their
 * line ends and nothing else. Event names and shapes:
 * https://platform.claude.com/docs/en/build-with-claude/streaming
 */
export class MessageMeter implements StreamMeter {
  usage: TokenUsage = NO_USAGE;
  error: StreamError | undefined;
  readonly #course = new AnswerCourse();
  #deltas = 0;
  #deltaBytes = 0;
  #isOutputReported = false;
  #event = "";
  #data: string[] = [];
  /** Bytes of this event's data, line ends included; 0 when it has none. */
  #dataBytes = 0;
  #carried: Uint8Array[] = [];
  #carriedBytes = 0;
  readonly #decoder = new TextDecoder();

  get hasContent(): boolean {
    return this.#course.hasContent;
  }

  get isWhole(): boolean {
    return this.#course.isWhole;
  }

  get usageSoFar(): TokenUsage {
    if (this.#isOutputReported) return this.usage;
    // A delta has a token at least.
    const textBytes = Math.max(0, this.#deltaBytes - this.#deltas * DELTA_FRAME_BYTES);
    const guess = Math.max(this.#deltas, Math.ceil(textBytes / BYTES_PER_TOKEN));
    return { ...this.usage, outputTokens: Math.max(this.usage.outputTokens, guess) };
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = lineEnd(chunk, 0); end !== -1; end = lineEnd(chunk, start)) {
      this.#line(chunk, start, end);
      start = end + 1;
    }
    if (start < chunk.length) this.#carry(chunk.subarray(start));
  }

  end(): void {
    if (this.#carriedBytes > 0) this.#line(new Uint8Array(0), 0, 0);
    // Without its blank line, only data that is whole tells that nothing of the event is missing.
    if (this.#data.length > 0 && isJson(this.#data.join("\n"))) this.#dispatch();
  }

  #carry(rest: Uint8Array): void {
    if (this.#carriedBytes > LINE_BYTES_MAX) return;
    this.#carried.push(rest);
    this.#carriedBytes += rest.length;
  }

  #line(chunk: Uint8Array, start: number, end: number): void {
    if (this.#carriedBytes === 0) {
      this.#field(chunk, start, chunk[end - 1] === CR && end > start ? end - 1 : end);
      return;
    }
    const line = Buffer.concat([...this.#carried, chunk.subarray(start, end)]);
    this.#carried = [];
    this.#carriedBytes = 0;
    this.#field(line, 0, line.at(-1) === CR ? line.length - 1 : line.length);
  }

  #field(line: Uint8Array, start: number, end: number): void {
    if (start === end) this.#dispatch();
    else if (line[start] === 0x65 && line[start + 5] === COLON)
      this.#event = knownEvent(line, start + 6, end) ?? this.#text(line, start + 6, end);
    else if (line[start] === 0x64 && line[start + 4] === COLON) this.#dataLine(line, start + 5, end);
  }

  #dataLine(line: Uint8Array, start: number, end: number): void {
    this.#dataBytes += end - start + 1;
    if (!READ_EVENTS.has(this.#event)) return;
    if (this.#dataBytes <= EVENT_BYTES_MAX) this.#data.push(this.#text(line, start, end));
    else this.#data = [];
  }

  #text(line: Uint8Array, start: number, end: number): string {
    return this.#decoder.decode(line.subarray(line[start] === SPACE ? start + 1 : start, end));
  }

  #dispatch(): void {
    const event = this.#event;
    const data = this.#data;
    const dataBytes = this.#dataBytes;
    this.#event = "";
    this.#dataBytes = 0;
    if (data.length > 0) this.#data = [];
    if (dataBytes === 0) return;
    if (event !== "") this.#pass(event, dataBytes);
    if (data.length > 0) this.#read(event, data.join("\n"), dataBytes);
  }

  #pass(event: string, dataBytes: number): void {
    this.#course.pass(event);
    if (event !== "content_block_delta") return;
    this.#deltas++;
    this.#deltaBytes += dataBytes;
  }

  #read(event: string, data: string, dataBytes: number): void {
    // Nothing in it is of interest but that it is there.
    if (event === "message_stop") return;
    const content = parsed(data);
    const type = event === "" ? textOf(content["type"]) : event;
    if (event === "") this.#pass(type, dataBytes);
    if (type === "message_start") this.usage = mergeUsage(this.usage, asRecord(content["message"])["usage"]);
    else if (type === "message_delta") this.#readDelta(content["usage"]);
    else if (type === "error") this.error = errorOf(content);
  }

  /** Its `output_tokens` are those of the whole answer. */
  #readDelta(usage: unknown): void {
    this.usage = mergeUsage(this.usage, usage);
    this.#isOutputReported ||= typeof asRecord(usage)["output_tokens"] === "number";
  }
}

/** Where the line that begins here ends; -1 when it does not. Every third line is blank, which is seen at once. */
function lineEnd(chunk: Uint8Array, start: number): number {
  return chunk[start] === LF ? start : chunk.indexOf(LF, start);
}

/** The name in these bytes, if it is one of those that are known; one space may stand before it. */
function knownEvent(line: Uint8Array, start: number, end: number): string | undefined {
  const from = line[start] === SPACE ? start + 1 : start;
  // A loop, and no closure: it runs for each event of every stream.
  for (const { name, bytes } of KNOWN_EVENTS) {
    if (bytes.length === end - from && standsAt(line, from, bytes)) return name;
  }
  return undefined;
}

function standsAt(line: Uint8Array, from: number, bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (line[from + at] !== bytes[at]) return false;
  return true;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parsed(data: string): { readonly [key: string]: unknown } {
  try {
    return asRecord(JSON.parse(data));
  } catch {
    // An event that is not JSON tells nothing; the client sees it as the upstream sent it.
    return {};
  }
}

function errorOf(content: { readonly [key: string]: unknown }): StreamError {
  const { type, message } = asRecord(content["error"]);
  return { type: textOf(type), message: textOf(message) };
}

/** Text as it is; empty for anything else, which an upstream may well send. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
