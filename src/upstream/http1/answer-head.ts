import { HTTPParser } from "node:_http_common";
import type { HeaderRecord } from "#kernel/headers.ts";
import { type BodyReader, bodyReaderFor } from "./body-reader.ts";
import { ChunkedBody } from "./chunked-body.ts";
import { codeOf, WireError } from "./wire-error.ts";

/** Longest head of an answer with the interim answers before it, in bytes. */
const HEAD_BYTES_MAX = 65_536;
const KEPT_SECONDS = /(?:^|[\s,])timeout=(\d{1,9})/i;
/** What the parser is told when a head is there: leave what follows it alone. */
const STOP_AFTER_HEAD = 2;
const GO_ON = 0;
/**
 * Places of what the parser tells with a head: the two numbers of the version, names and values in turn, method, URL,
 * status, its text, whether the protocol is to be switched, whether the connection may be used again.
 */
const PAIRS_PLACE = 2;
const STATUS_PLACE = 5;
const REUSABLE_PLACE = 8;
/** Index properties, which is what the parser calls. */
const ON_HEADERS = HTTPParser.kOnHeaders | 0;
const ON_HEADERS_COMPLETE = HTTPParser.kOnHeadersComplete | 0;

/** Headers as they come: names and values in turn. */
const NO_PAIRS: readonly string[] = [];

/** For Node's asynchronous hooks, which are not used. */
const NO_RESOURCE = {};

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
 * Reads heads of answers, one after the other. Interim answers (1xx) are passed over. The parsing is llhttp's,
 * strict: contradicting lengths, bare line feeds, folded lines and the like are errors.
 */
export class AnswerHeadReader {
  readonly #parser = new HTTPParser();
  #head: AnswerHead | undefined;
  #pairs = NO_PAIRS;
  #failure: WireError | undefined;
  /** A part of a head has been read, and more of it must follow. */
  #isUnderWay = false;
  /** Of the head that is being read: the parser forgets what it has counted whenever it hands over headers. */
  #headBytes = 0;
  /** Where the body begins in the bytes that were read last. */
  bodyAt = 0;

  constructor() {
    this.#parser[ON_HEADERS] = (pairs: readonly string[]): void => {
      this.#pairs = joined(this.#pairs, pairs);
    };
    this.#parser[ON_HEADERS_COMPLETE] = (...told: readonly unknown[]): number => this.#complete(told);
  }

  /**
   * Takes what came next; the head once it is whole, and then {@link bodyAt} says where in `bytes` it ended.
   *
   * @throws WireError when this is not the head of an HTTP answer.
   */
  read(bytes: Uint8Array): AnswerHead | undefined {
    if (!this.#isUnderWay) this.#begin();
    this.#isUnderWay = false;
    const read = this.#parser.execute(bytes);
    if (this.#failure !== undefined) throw this.#failure;
    if (typeof read !== "number") throw new WireError(codeOf(read, "HPE_INVALID"), { cause: read });
    this.#headBytes += read;
    if (this.#headBytes > HEAD_BYTES_MAX) throw new WireError("HPE_HEADER_OVERFLOW");
    this.bodyAt = read;
    this.#isUnderWay = this.#head === undefined;
    return this.#head;
  }

  /** Forgets a head of which not all was there. */
  restart(): void {
    this.#isUnderWay = false;
  }

  #begin(): void {
    this.#parser.initialize(HTTPParser.RESPONSE, NO_RESOURCE, HEAD_BYTES_MAX, 0);
    this.#headBytes = 0;
    this.#head = undefined;
    this.#failure = undefined;
    this.#pairs = NO_PAIRS;
  }

  #complete(told: readonly unknown[]): number {
    const [lastPairs, status, isReusable] = [told[PAIRS_PLACE], told[STATUS_PLACE], told[REUSABLE_PLACE]];
    const pairs = joined(this.#pairs, (lastPairs as readonly string[] | undefined) ?? NO_PAIRS);
    this.#pairs = NO_PAIRS;
    if (typeof status !== "number" || status === 101) {
      // Switching protocols was not asked for.
      this.#failure = new WireError("HPE_INVALID_STATUS");
      return STOP_AFTER_HEAD;
    }
    if (status < 200) return GO_ON;
    try {
      this.#head = headOf(status, pairs, isReusable === true);
    } catch (thrown) {
      this.#failure = thrown instanceof WireError ? thrown : new WireError("HPE_INVALID", { cause: thrown });
    }
    return STOP_AFTER_HEAD;
  }
}

/** Almost always one of the two is empty. */
function joined(before: readonly string[], after: readonly string[]): readonly string[] {
  return before.length === 0 ? after : before.concat(after);
}

function headOf(status: number, pairs: readonly string[], isReusable: boolean): AnswerHead {
  // Without a prototype, so that no name is there before it has come.
  const headers: HeaderValues = Object.create(null);
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    addHeader(headers, (pairs[at] as string).toLowerCase(), pairs[at + 1] as string);
  }
  const framing = {
    status,
    transferEncoding: textOf(headers["transfer-encoding"]),
    contentLength: textOf(headers["content-length"]),
  };
  const keptMs = keptMsOf(textOf(headers["keep-alive"]));
  return { status, headers, isReusable, keptMs, body: bodyReaderFor(framing, () => new ChunkedBody()) };
}

/** A name that comes again adds to its value, except for cookies, which are a list (RFC 9110 section 5.3). */
function addHeader(headers: HeaderValues, name: string, value: string): void {
  const known = headers[name];
  if (name === "set-cookie") headers[name] = known === undefined ? [value] : [...known, value];
  else headers[name] = known === undefined ? value : `${known}, ${value}`;
}

/** Reads `keep-alive: timeout=5`, as Node's server and others send it (RFC 2068 section 19.7.1.1). */
function keptMsOf(keepAlive: string | undefined): number {
  const [, seconds] = (keepAlive !== undefined && KEPT_SECONDS.exec(keepAlive)) || [];
  return seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds) * 1_000;
}

function textOf(value: string | string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}
