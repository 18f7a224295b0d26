import { WireError } from "./wire-error.ts";

/** Marks that are remembered, and places of a head for which one is expected. */
const REMEMBERED_MAX = 512;
const EXPECTED_MAX = 64;
/** Longest mark that is remembered, in characters. */
const LENGTH_MAX = 64;
/** A token and a colon (RFC 9112 section 5.1, RFC 9110 section 5.6.2). */
const MARK = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+:/y;

/** How a field begins. */
export interface FieldMark {
  /** Its name as it has come, and a colon. */
  readonly mark: string;
  /** Its name in lower case. */
  readonly name: string;
}

const remembered = new Map<string, FieldMark>();
/** What stood at each place of a head last: upstreams say the same things in the same order. */
const expected: FieldMark[] = [];

/**
 * The beginning of the field at `at`, which is the head's field number `place`.
 *
 * @throws WireError when no field begins there.
 */
export function fieldMarkAt(text: string, at: number, place: number): FieldMark {
  const likely = expected[place];
  if (likely !== undefined && text.startsWith(likely.mark, at)) return likely;
  const found = find(text, at);
  if (place < EXPECTED_MAX && found.mark.length <= LENGTH_MAX) expected[place] = found;
  return found;
}

function find(text: string, at: number): FieldMark {
  MARK.lastIndex = at;
  const mark = MARK.exec(text)?.[0];
  if (mark === undefined) throw new WireError("HPE_INVALID_HEADER_TOKEN");
  const known = remembered.get(mark);
  if (known !== undefined) return known;
  // A part of a text keeps all of the text in memory.
  const own = Buffer.from(mark, "latin1").toString("latin1");
  const found = { mark: own, name: own.slice(0, -1).toLowerCase() };
  if (remembered.size < REMEMBERED_MAX && mark.length <= LENGTH_MAX) remembered.set(own, found);
  return found;
}
