import { readFileSync } from "node:fs";
import { type ByteRange, TooDeep } from "#kernel/json-scan.ts";
import scannerPath from "./scanner.wasm" with { type: "file" };

/** Deepest nesting of a body that is read; real conversations stay below 30. The scanner has the same bound. */
export const DEPTH_MAX = 256;

/** Places in `found`, in words; `scanner.as` says what stands there. */
const FIELDS = [
  "model",
  "stream",
  "max_tokens",
  "system",
  "thinking",
  "output_config",
  "metadata",
  "messages",
] as const;
const IS_OBJECT = 16;
const COUNT = 17;
const LAST = 18;
const FIRST_USER = 23;
const LAST_USER = 28;
const FIRST_ASSISTANT = 33;
const FIRST_MARKED = 38;
const LAST_IS_TOOL_RESULT = 43;
const NOTED_COUNT = 44;
const NOTED_ANEW = 45;
const IS_COMPLETE = 46;
const WRITTEN = 47;
const HAS_LONE_SURROGATE = 48;
const FOUND_WORDS = 49;

const ROLES = [undefined, "user", "assistant"] as const;
const NOTE_WORDS = 3;
const NOTES_MAX = 256;

/** Longest piece of a text that the scanner takes at once, in bytes. */
const CHUNK_BYTES = 65_536;
const TOO_DEEP = -2;

interface Exports {
  readonly memory: WebAssembly.Memory;
  input(): number;
  output(): number;
  found(): number;
  noted(): number;
  beginBody(): void;
  beginMessage(): void;
  beginContent(): void;
  feed(offset: number, length: number, isLast: boolean): number;
  unescape(length: number, isLast: boolean): number;
}

// One for each thread: nothing of it outlives a call, and no call is interrupted by another one.
const scanner = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(scannerPath)))
  .exports as unknown as Exports;
const { buffer } = scanner.memory;
const input = new Uint8Array(buffer, scanner.input(), CHUNK_BYTES);
const output = new Uint8Array(buffer, scanner.output(), CHUNK_BYTES);
const found = new Int32Array(buffer, scanner.found(), FOUND_WORDS);
const noted = new Int32Array(buffer, scanner.noted(), NOTES_MAX * NOTE_WORDS);

/** What a thread keeps for the texts of one body. Those of a larger one are put elsewhere, in bytes. */
const SCRATCH_BYTES = 4_194_304;
const scratch = Buffer.alloc(SCRATCH_BYTES);
let borrowed = 0;

/** The text is not JSON. */
export class NotJson extends Error {
  constructor() {
    super("not valid JSON");
    this.name = "NotJson";
  }
}

/** The fields of a body that are looked for. */
export type BodyField = (typeof FIELDS)[number];

/** One message, as far as it was read on the way. */
export interface ScannedMessage {
  readonly range: ByteRange;
  readonly role: "user" | "assistant" | undefined;
  /** Where the content stands, quotes included, when it is one string. */
  readonly content: ByteRange | undefined;
}

/** Where the parts of a Messages body stand, and what its messages are. Of duplicate keys the last one counts. */
export interface BodyOutline {
  /** The body is an object; nothing else is known of one that is not. */
  readonly isObject: boolean;
  /** Where the values of the fields stand that it has. */
  readonly fields: ReadonlyMap<BodyField, ByteRange>;
  /** 0 when `messages` is no list. */
  readonly messageCount: number;
  readonly lastIsUsers: boolean;
  /** The last message's content has a block of type `tool_result` or `tool_use_result`. */
  readonly lastIsToolResult: boolean;
  /**
   * The first message with a block that is marked for the prompt cache, the first and the last one of role `user`,
   * the first one of role `assistant`, and the last one of all, in the order of the body.
   */
  readonly excerpt: readonly ScannedMessage[];
}

/** A block of a message or a system prompt that holds a text or is marked for the prompt cache, or both. */
export interface NotedBlock {
  /** Where the string of its text stands, quotes included. */
  readonly text: ByteRange | undefined;
  readonly isMarked: boolean;
}

/** What a string means, as UTF-8. */
export interface UnescapedText {
  readonly bytes: Buffer;
  /** It holds half a surrogate pair, which UTF-8 cannot say: U+FFFD stands for it. */
  readonly hasLoneSurrogate: boolean;
}

/**
 * Checks a body and notes where its parts stand. It is not checked to be UTF-8.
 *
 * @throws NotJson what `JSON.parse` would refuse; TooDeep nesting beyond {@link DEPTH_MAX}.
 */
export function scanBody(body: Uint8Array): BodyOutline {
  borrowed = 0;
  scanner.beginBody();
  feedAll(body, { start: 0, end: body.length });
  return {
    isObject: at(IS_OBJECT) === 1,
    fields: foundFields(),
    messageCount: at(COUNT),
    lastIsUsers: ROLES[at(LAST + 2)] === "user",
    lastIsToolResult: at(LAST_IS_TOOL_RESULT) === 1,
    excerpt: foundMessages(),
  };
}

/** The blocks of a message that {@link scanBody} has found, in order, as far as they are of interest. */
export function blocksOfMessage(body: Uint8Array, message: ByteRange): readonly NotedBlock[] {
  scanner.beginMessage();
  return feedAll(body, message);
}

/** The same of a system prompt; a prompt that is one string counts as one block. */
export function blocksOfSystem(body: Uint8Array, content: ByteRange): readonly NotedBlock[] {
  scanner.beginContent();
  return feedAll(body, content);
}

/** What a string of a checked body means. The range includes its quotes. */
export function unescapeText(body: Uint8Array, { start, end }: ByteRange): UnescapedText {
  const bytes = borrow(end - start);
  let length = 0;
  found[HAS_LONE_SURROGATE] = 0;
  for (let from = start + 1; from < end - 1; ) {
    const to = Math.min(from + CHUNK_BYTES, end - 1);
    input.set(body.subarray(from, to));
    from += scanner.unescape(to - from, to === end - 1);
    const written = at(WRITTEN);
    bytes.set(output.subarray(0, written), length);
    length += written;
  }
  return { bytes: bytes.subarray(0, length), hasLoneSurrogate: at(HAS_LONE_SURROGATE) === 1 };
}

/**
 * Bytes to write to, until the next body is scanned. Memory that is fresh from the system costs more than all that
 * is done with it here.
 */
export function borrow(length: number): Buffer {
  if (length > SCRATCH_BYTES - borrowed) return Buffer.allocUnsafe(length);
  borrowed += length;
  return scratch.subarray(borrowed - length, borrowed);
}

function feedAll(body: Uint8Array, { start, end }: ByteRange): readonly NotedBlock[] {
  const blocks: NotedBlock[] = [];
  for (let from = start; at(IS_COMPLETE) === 0; ) {
    const to = Math.min(from + CHUNK_BYTES, end);
    input.set(body.subarray(from, to));
    const taken = scanner.feed(from, to - from, to === end);
    if (taken < 0) throw taken === TOO_DEEP ? new TooDeep(DEPTH_MAX) : new NotJson();
    from += taken;
    takeNotes(blocks);
  }
  return blocks;
}

function takeNotes(blocks: NotedBlock[]): void {
  if (at(NOTED_ANEW) === 1) blocks.length = 0;
  for (let note = 0; note < at(NOTED_COUNT) * NOTE_WORDS; note += NOTE_WORDS) {
    const start = noted[note] ?? 0;
    const text = start < 0 ? undefined : { start, end: noted[note + 1] ?? 0 };
    blocks.push({ text, isMarked: noted[note + 2] === 1 });
  }
  found[NOTED_COUNT] = 0;
  found[NOTED_ANEW] = 0;
}

function foundFields(): ReadonlyMap<BodyField, ByteRange> {
  const fields = new Map<BodyField, ByteRange>();
  for (const [index, field] of FIELDS.entries()) {
    const range = rangeAt(index * 2);
    if (range !== undefined) fields.set(field, range);
  }
  return fields;
}

function foundMessages(): readonly ScannedMessage[] {
  const messages = new Map<number, ScannedMessage>();
  for (const place of [FIRST_MARKED, FIRST_USER, FIRST_ASSISTANT, LAST_USER, LAST]) {
    const range = rangeAt(place);
    if (range === undefined) continue;
    messages.set(range.start, { range, role: ROLES[at(place + 2)], content: rangeAt(place + 3) });
  }
  return [...messages.values()].sort((one, other) => one.range.start - other.range.start);
}

function rangeAt(place: number): ByteRange | undefined {
  const start = at(place);
  return start < 0 ? undefined : { start, end: at(place + 1) };
}

function at(place: number): number {
  return found[place] ?? 0;
}
