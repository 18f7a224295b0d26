/** Hexadecimal digits of the checksum. */
const CHECKSUM_DIGITS = 8;
/** Decimal digits of the line's length in bytes, and of the time in milliseconds since the Unix epoch. */
const LENGTH_DIGITS = 7;
const TIME_DIGITS = 13;
/** Where the parts of a frame begin. Each is followed by one space, the line by a line feed. */
const LENGTH_AT = CHECKSUM_DIGITS + 1;
const TIME_AT = LENGTH_AT + LENGTH_DIGITS + 1;
const LINE_AT = TIME_AT + TIME_DIGITS + 1;

const SPACE = 0x20;
const LINE_FEED = 0x0a;
const ZERO = 0x30;
const NINE = 0x39;
const FIRST_PRINTABLE = 0x20;
/** Most bytes that one character takes in UTF-8, counted in the UTF-16 units of a string's length. */
const BYTES_PER_UNIT_MAX = 3;
const SCRATCH_BYTES = 16_384;

/** Longest line that a frame can hold, in bytes. */
const LINE_BYTES_MAX = 10 ** LENGTH_DIGITS - 1;

let scratch = Buffer.allocUnsafe(SCRATCH_BYTES);

/**
 * Lines as they stand in the journal, each in a frame: `<CRC-32> <length> <time> <line>\n`, where length and time are
 * decimal with leading zeros and the checksum covers everything between it and the line feed. An empty line is no
 * record. The bytes are valid until the next call.
 *
 * @param atMs when the lines were recorded, in milliseconds since the Unix epoch.
 * @throws RangeError when a line is longer than ten million bytes or holds control characters, of which
 *   JSON has none: they are how a reader finds the next frame after damaged bytes.
 */
export function framesOf(lines: readonly string[], atMs: number): Uint8Array {
  const time = String(atMs).padStart(TIME_DIGITS, "0");
  let end = 0;
  for (const line of lines) end = writeFrame(line, end, time);
  return scratch.subarray(0, end);
}

/** Writes one frame into the scratch and returns where it ends. */
function writeFrame(line: string, at: number, time: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  if (/[\u0000-\u001f]/.test(line)) throw new RangeError("a journal line must not hold control characters");
  reserve(at, LINE_AT + line.length * BYTES_PER_UNIT_MAX + 1);
  const length = scratch.write(line, at + LINE_AT, "utf8");
  if (length > LINE_BYTES_MAX) throw new RangeError(`a journal line has ${length} bytes`);
  const end = at + LINE_AT + length;
  scratch.write(`${String(length).padStart(LENGTH_DIGITS, "0")} ${time} `, at + LENGTH_AT, "latin1");
  scratch.write(`${checksumOf(scratch, at + LENGTH_AT, end)} `, at, "latin1");
  scratch[end] = LINE_FEED;
  return end + 1;
}

/** Makes room in the scratch behind what is in use. */
function reserve(used: number, bytes: number): void {
  if (used + bytes <= scratch.length) return;
  const larger = Buffer.allocUnsafe(Math.max(used + bytes, scratch.length * 2));
  scratch.copy(larger, 0, 0, used);
  scratch = larger;
}

/** What was found in a stretch of a journal. */
export interface Scan {
  readonly lines: readonly string[];
  /** When the first of the lines was recorded, in milliseconds since the Unix epoch. */
  readonly firstAtMs: number | undefined;
  /** Where the next scan begins. */
  readonly end: number;
  /** Bytes that were skipped because no frame could be made of them. */
  readonly damagedBytes: number;
  /** Bytes at the very end that are an unfinished frame. */
  readonly tornBytes: number;
}

/**
 * Reads frames from `from` on, until `linesMax` lines are found or the bytes end. Damaged bytes are skipped up
 * to the next frame; of every frame that is whole the line is given, exactly as it was written.
 */
export function scanFrames(bytes: Buffer, from: number, linesMax: number): Scan {
  const lines: string[] = [];
  let firstAtMs: number | undefined;
  let damagedBytes = 0;
  let offset = from;
  while (offset < bytes.length && lines.length < linesMax) {
    const end = frameEnd(bytes, offset);
    if (end === undefined) {
      const next = nextStart(bytes, offset);
      if (next === undefined) {
        return { lines, firstAtMs, end: bytes.length, damagedBytes, tornBytes: bytes.length - offset };
      }
      damagedBytes += next - offset;
      offset = next;
      continue;
    }
    if (end > offset + LINE_AT) {
      firstAtMs ??= numberAt(bytes, offset + TIME_AT, TIME_DIGITS);
      lines.push(bytes.toString("utf8", offset + LINE_AT, end));
    }
    // The line feed is not covered by the checksum: whatever stands in its place, the next frame is behind it.
    if (end < bytes.length && bytes[end] !== LINE_FEED) damagedBytes++;
    offset = Math.min(end + 1, bytes.length);
  }
  return { lines, firstAtMs, end: offset, damagedBytes, tornBytes: 0 };
}

/** Where the line of the frame at `offset` ends; undefined when there is no whole frame. */
function frameEnd(bytes: Buffer, offset: number): number | undefined {
  const length = numberAt(bytes, offset + LENGTH_AT, LENGTH_DIGITS);
  if (length === undefined || bytes[offset + CHECKSUM_DIGITS] !== SPACE) return undefined;
  const end = offset + LINE_AT + length;
  if (end > bytes.length) return undefined;
  const checksum = bytes.toString("latin1", offset, offset + CHECKSUM_DIGITS);
  return checksum === checksumOf(bytes, offset + LENGTH_AT, end) ? end : undefined;
}

/** Behind the next control characters, which no frame holds but at its end; undefined when there are none. */
function nextStart(bytes: Buffer, offset: number): number | undefined {
  let next = offset;
  while (next < bytes.length && !isControl(bytes, next)) next++;
  if (next === bytes.length) return undefined;
  while (next < bytes.length && isControl(bytes, next)) next++;
  // A file that lost its power may end in zeros: an unfinished frame like any other.
  return next === bytes.length && bytes[next - 1] !== LINE_FEED ? undefined : next;
}

function isControl(bytes: Buffer, offset: number): boolean {
  return (bytes[offset] ?? 0) < FIRST_PRINTABLE;
}

function checksumOf(bytes: Buffer, from: number, to: number): string {
  return Bun.hash.crc32(bytes.subarray(from, to)).toString(16).padStart(CHECKSUM_DIGITS, "0");
}

/** A number of exactly so many decimal digits; undefined when there is none. */
function numberAt(bytes: Buffer, offset: number, digits: number): number | undefined {
  let value = 0;
  for (let at = offset; at < offset + digits; at++) {
    const digit = bytes[at];
    if (digit === undefined || digit < ZERO || digit > NINE) return undefined;
    value = value * 10 + digit - ZERO;
  }
  return value;
}
