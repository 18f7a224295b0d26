import { HTTPParser } from "node:_http_common";

const HEAD_BYTES_MAX = 65_536;
const STOP_AFTER_HEAD = 2;
const GO_ON = 0;
/** Places of what the parser tells with a head. */
const [PAIRS, STATUS, REUSABLE] = [2, 5, 8];

/** A head as llhttp reads it. */
export interface ReferenceHead {
  readonly status: unknown;
  /** Names in lower case and values, as they came. */
  readonly fields: readonly (readonly [string, string])[];
  readonly isReusable: unknown;
  readonly bodyAt: number;
}

/** What llhttp, strict, reads in a whole head; undefined when it refuses it. */
export function readByReference(bytes: Uint8Array): ReferenceHead | undefined {
  const parser = new HTTPParser();
  let pairs: string[] = [];
  let told: readonly unknown[] = [];
  parser[HTTPParser.kOnHeaders | 0] = (more: string[]): void => {
    pairs = pairs.concat(more);
  };
  parser[HTTPParser.kOnHeadersComplete | 0] = (...all: readonly unknown[]): number => {
    const isInterim = Number(all[STATUS]) < 200 && all[STATUS] !== 101;
    pairs = isInterim ? [] : pairs.concat((all[PAIRS] as string[] | undefined) ?? []);
    if (!isInterim) told = all;
    return isInterim ? GO_ON : STOP_AFTER_HEAD;
  };
  parser.initialize(HTTPParser.RESPONSE, {}, HEAD_BYTES_MAX, 0);
  const bodyAt = parser.execute(bytes);
  if (typeof bodyAt !== "number" || told.length === 0) return undefined;
  const fields: [string, string][] = [];
  for (let at = 0; at < pairs.length; at += 2) {
    fields.push([String(pairs[at]).toLowerCase(), String(pairs[at + 1])]);
  }
  return { status: told[STATUS], fields, isReusable: told[REUSABLE], bodyAt };
}
