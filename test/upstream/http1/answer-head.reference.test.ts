import { describe, expect, test } from "bun:test";
import { AnswerHeadReader } from "#upstream/http1/answer-head-reader.ts";
import { WireError } from "#upstream/http1/wire-error.ts";
import { Shuffle } from "../../coordination/shuffle.ts";
import { readByReference } from "./reference-parser.ts";

const HEADS = 30_000;

const STATUS_LINES = [
  "HTTP/1.1 200 OK",
  "HTTP/1.1 200 ",
  "HTTP/1.1 529 Overloaded \u00e9",
  "HTTP/1.0 404 Not Found",
  "HTTP/1.1 204 No Content",
];
const NAMES = [
  "content-type",
  "Content-Length",
  "CONNECTION",
  "x-a",
  "Transfer-Encoding",
  "X_b!",
  "set-cookie",
  "date",
];
const VALUES = [
  "1",
  "close",
  "Keep-Alive",
  "chunked",
  "a, b",
  "caf\u00e9",
  "",
  "\tx\t",
  "0",
  "close, x",
  "keep-alive, close",
];
/** What breaks heads, or almost. */
const SPLINTERS = [
  "\r",
  "\n",
  "\r\n",
  " ",
  "\t",
  ":",
  "\0",
  "\u007f",
  "\u00ff",
  "H",
  "\u001f",
  ",",
  "0",
  "a: b",
  "\r\n ",
];

function randomHead(shuffle: Shuffle): string {
  const of = (choice: readonly string[]): string => choice[shuffle.below(choice.length)] as string;
  const interim = shuffle.below(8) === 0 ? "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n" : "";
  const fields = Array.from({ length: shuffle.below(6) }, () => {
    const blank = of([" ", " ", "", "  ", "\t"]);
    return `${of(NAMES)}:${blank}${of(VALUES)}${of(["", "", " "])}\r\n`;
  });
  return `${interim}${of(STATUS_LINES)}\r\n${fields.join("")}\r\n`;
}

/** Puts something into the head, or takes something out, at up to three places. */
function damaged(head: string, shuffle: Shuffle): string {
  let text = head;
  for (let times = shuffle.below(4); times > 0; times--) {
    const at = shuffle.below(text.length + 1);
    const splinter = SPLINTERS[shuffle.below(SPLINTERS.length)] as string;
    text = text.slice(0, at) + splinter + text.slice(at + shuffle.below(3));
  }
  return text;
}

/** Undefined when it is refused, or its end is missing. */
function readByUs(...pieces: readonly Buffer[]) {
  const reader = new AnswerHeadReader();
  let before = 0;
  try {
    for (const piece of pieces) {
      const head = reader.read(piece);
      if (head !== undefined) return { head, bodyAt: before + reader.bodyAt };
      before += piece.length;
    }
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(WireError);
  }
  return undefined;
}

/** Fields of one name together, as a record has them. */
function recordOf(fields: readonly (readonly [string, string])[]): Record<string, string | string[]> {
  const record: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of fields) {
    const trimmed = value.replace(/^[ \t]+|[ \t]+$/g, "");
    const known = record[name];
    if (name === "set-cookie") record[name] = [...(known ?? []), trimmed];
    else record[name] = known === undefined ? trimmed : `${known}, ${trimmed}`;
  }
  return record;
}

describe("a head, beside llhttp", () => {
  test("that is taken for an answer is one there as well, and the same one", () => {
    let taken = 0;
    for (let seed = 0; seed < HEADS; seed++) {
      const shuffle = new Shuffle(seed);
      const bytes = Buffer.from(`${damaged(randomHead(shuffle), shuffle)}BODY`, "latin1");
      const ours = readByUs(bytes);
      const cut = shuffle.below(bytes.length);
      expect({ seed, cut, ours: readByUs(bytes.subarray(0, cut), bytes.subarray(cut)) }).toEqual({
        seed,
        cut,
        ours,
      });
      if (ours === undefined) continue;
      taken++;
      const theirs = readByReference(bytes);
      const { status, headers, isReusable } = ours.head;
      expect({ seed, status, bodyAt: ours.bodyAt, headers: { ...headers } }).toEqual({
        seed,
        status: theirs?.status as number,
        bodyAt: theirs?.bodyAt as number,
        headers: { ...recordOf(theirs?.fields ?? []) } as Record<string, string>,
      });
      // It overlooks `close` behind `keep-alive` where the version is 1.0.
      if (isReusable) expect({ seed, isReusable: theirs?.isReusable }).toEqual({ seed, isReusable });
    }
    expect(taken).toBeGreaterThan(HEADS / 10);
  });

  test("that is not damaged is refused only where it is there, but for transfer codings nobody asked for", () => {
    for (let seed = 0; seed < HEADS; seed++) {
      const text = randomHead(new Shuffle(seed));
      const bytes = Buffer.from(text, "latin1");
      const theirs = readByReference(bytes);
      // Nobody has asked for another coding.
      const coding = recordOf(theirs?.fields ?? [])["transfer-encoding"] ?? "chunked";
      if (theirs === undefined || String(coding).toLowerCase() !== "chunked") continue;
      expect({ text, isTaken: readByUs(bytes) !== undefined }).toEqual({ text, isTaken: true });
    }
  });
});
