import { WireError } from "./wire-error.ts";

/** Names that are remembered; upstreams use the same few in every answer. */
const REMEMBERED_MAX = 512;
/** Longest name that is remembered, in characters. */
const REMEMBERED_LENGTH_MAX = 64;
/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Names as they have come, each with its lower case. */
const remembered = new Map<string, string>();

/**
 * A field's name in lower case.
 *
 * @throws WireError when it is none.
 */
export function fieldName(text: string): string {
  return remembered.get(text) ?? read(text);
}

function read(text: string): string {
  if (!TOKEN.test(text)) throw new WireError("HPE_INVALID_HEADER_TOKEN");
  const name = text.toLowerCase();
  if (remembered.size < REMEMBERED_MAX && text.length <= REMEMBERED_LENGTH_MAX) remembered.set(text, name);
  return name;
}
