import type { HeaderRecord } from "#kernel/headers.ts";
import { type BodyReader, bodyReaderFor } from "./body-reader.ts";
import { fieldMarkAt } from "./field-marks.ts";
import { WireError } from "./wire-error.ts";

const LINE_END = "\r\n";
/** The one that nearly all answers have. */
const USUAL_STATUS_LINE = `HTTP/1.1 200 OK${LINE_END}`;
/** Version 1.0 or 1.1, and a status with or without a text (RFC 9112 section 4). */
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [^\r\n]*)?\r\n/;
/** What a head has nowhere: control characters other than tabs, and halves of line ends (RFC 9110 section 5.5). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const MISPLACED = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n/;
const OUTER_BLANKS = /^[ \t]+|[ \t]+$/g;
const SPACE = 32;
/** A member of a list, whatever its case (RFC 9110 section 7.6.1). */
const HAS_CLOSE = /(?:^|[ \t,])close(?:$|[ \t,])/i;
const HAS_KEEP_ALIVE = /(?:^|[ \t,])keep-alive(?:$|[ \t,])/i;
const KEPT_SECONDS = /(?:^|[\s,])timeout=(\d{1,9})/i;

/** The head of an answer. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: HeaderRecord;
  /** Whether the connection may serve another request once the body has been read. */
  readonly isReusable: boolean;
  /** How long the upstream says that it keeps the connection unused, in milliseconds; infinite when it says nothing. */
  readonly keptMs: number;
  readonly body: BodyReader;
}

type HeaderValues = { [name: string]: string | string[] };

/**
 * Reads the head of an answer from its text: lines with their ends, without the empty one. Strict: what two readers
 * might take for two different things is an error.
 *
 * @throws WireError when this is not the head of an HTTP answer.
 */
export function readAnswerHead(text: string): AnswerHead {
  if (MISPLACED.test(text)) throw new WireError("HPE_INVALID_CHARACTER");
  if (text.startsWith(USUAL_STATUS_LINE)) return headOf(200, fieldsOf(text, USUAL_STATUS_LINE.length), true);
  const [line, minor, status] = STATUS_LINE.exec(text) ?? [];
  if (line === undefined) throw new WireError("HPE_INVALID_CONSTANT");
  return headOf(Number(status), fieldsOf(text, line.length), minor === "1");
}

/** The fields of a head, a line each (RFC 9112 section 5). */
function fieldsOf(text: string, from: number): HeaderValues {
  // Without a prototype, so that no name is there before it has come.
  const headers: HeaderValues = Object.create(null);
  let at = from;
  for (let place = 0; at < text.length; place++) {
    const { mark, name } = fieldMarkAt(text, at, place);
    const end = text.indexOf(LINE_END, at);
    addField(headers, name, valueBetween(text, at + mark.length, end));
    at = end + LINE_END.length;
  }
  return headers;
}

/** The value without the blanks around it: nearly always one space before it, and none behind it. */
function valueBetween(text: string, from: number, to: number): string {
  const isUsual =
    text.charCodeAt(from) === SPACE && text.charCodeAt(from + 1) > SPACE && text.charCodeAt(to - 1) > SPACE;
  return isUsual ? text.slice(from + 1, to) : text.slice(from, to).replace(OUTER_BLANKS, "");
}

/**
 * A name that comes again adds to its value, except for cookies, which are a list (RFC 9110 section 5.3). A second
 * length makes a list of the first, and that is none (RFC 9112 section 6.3).
 */
function addField(headers: HeaderValues, name: string, value: string): void {
  const known = headers[name];
  if (name === "set-cookie") headers[name] = known === undefined ? [value] : [...known, value];
  else headers[name] = known === undefined ? value : `${known}, ${value}`;
}

function headOf(status: number, headers: HeaderValues, isLaterVersion: boolean): AnswerHead {
  const framing = {
    status,
    transferEncoding: textOf(headers["transfer-encoding"]),
    contentLength: textOf(headers["content-length"]),
  };
  const body = bodyReaderFor(framing);
  const isReusable = !body.endsWithConnection && isKept(textOf(headers["connection"]), isLaterVersion);
  return { status, headers, isReusable, keptMs: keptMsOf(textOf(headers["keep-alive"])), body };
}

/** Whether the upstream keeps the connection (RFC 9112 section 9.3). */
function isKept(connection: string | undefined, isLaterVersion: boolean): boolean {
  if (connection === undefined) return isLaterVersion;
  return !HAS_CLOSE.test(connection) && (isLaterVersion || HAS_KEEP_ALIVE.test(connection));
}

/** Reads `keep-alive: timeout=5`, as Node's server and others send it (RFC 2068 section 19.7.1.1). */
function keptMsOf(keepAlive: string | undefined): number {
  const [, seconds] = (keepAlive !== undefined && KEPT_SECONDS.exec(keepAlive)) || [];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1_000;
}

function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
