import { describe, expect, test } from "bun:test";
import { ChunkedBody } from "#upstream/http1/chunked-body.ts";
import { WireError } from "#upstream/http1/wire-error.ts";
import { thrownBy } from "../requests.ts";
import { cutAt, eachCut } from "./pieces.ts";

/** Reads a framed body that comes in these pieces. */
function read(pieces: readonly Uint8Array[]): { readonly text: string; readonly body: ChunkedBody } {
  const body = new ChunkedBody();
  const decoder = new TextDecoder("latin1");
  let text = "";
  for (const piece of pieces) {
    const part = body.read(piece);
    if (part !== undefined) text += decoder.decode(part);
  }
  return { text, body };
}

const FRAMED =
  '1\r\na\r\n000A;name="v;=";other \r\n0123456789\r\n3 \r\n\r\n0\r\n00\r\nnot: kept\r\nX: y\r\n\r\n';
const TEXT = "a0123456789\r\n0";

describe("a body in chunks", () => {
  test("reads the same wherever it is cut", () => {
    for (const pieces of eachCut(FRAMED, 2)) {
      const { text, body } = read(pieces);
      expect([text, body.isWhole, body.hasExcess]).toEqual([TEXT, true, false]);
    }
  });

  test("reads the same byte by byte", () => {
    const { text, body } = read(cutAt(FRAMED, [...FRAMED].keys().toArray()));
    expect([text, body.isWhole, body.hasExcess]).toEqual([TEXT, true, false]);
  });

  test("gives one piece for each read, whatever the chunks", () => {
    const part = new ChunkedBody().read(Buffer.from("3\r\nabc\r\n".repeat(1_000)));
    expect(Buffer.from(part ?? []).toString()).toBe("abc".repeat(1_000));
  });

  test("is whole with its last line and no earlier", () => {
    for (let length = 0; length < FRAMED.length; length++) {
      expect(read([Buffer.from(FRAMED.slice(0, length))]).body.isWhole).toBe(false);
    }
  });

  test("tells what follows from what belongs to it", () => {
    const { text, body } = read([Buffer.from(`${FRAMED}HTTP/1.1 200 OK\r\n\r\n`)]);
    expect([text, body.isWhole, body.hasExcess]).toEqual([TEXT, true, true]);
  });

  test.each([
    ["no size", "\r\nabc"],
    ["an extension without a size", ";a=b\r\nabc"],
    ["a sign", "-1\r\n"],
    ["a prefix", "0x3\r\nabc\r\n"],
    ["a space before the size", " 3\r\nabc\r\n"],
    ["digits after a space", "3 3\nabc\r\n"],
    ["a bare line feed after the size", "3\nabc\r\n"],
    ["a bare line feed in an extension", "3;a\nb\r\nabc\r\n"],
    ["a bare carriage return", "3\rabc\r\n"],
    ["more data than the size says", "3\r\nabcd\r\n"],
    ["less data than the size says", "3\r\nab\r\n0\r\n\r\n"],
    ["a bare line feed after the data", "3\r\nabc\n0\r\n\r\n"],
    ["a size that no number holds", `${"f".repeat(17)}\r\n`],
    ["an endless row of zeros", "0".repeat(100)],
    ["an endless extension", `3;${"a".repeat(5_000)}`],
    ["endless trailers", `0\r\n${"a: b\r\n".repeat(20_000)}`],
  ])("is refused for %s", async (_, framed) => {
    const whole = await thrownBy(Promise.try(() => read([Buffer.from(framed)])));
    const bytewise = await thrownBy(Promise.try(() => read(cutAt(framed, [...framed].keys().toArray()))));
    for (const thrown of [whole, bytewise]) {
      expect(thrown).toBeInstanceOf(WireError);
      expect((thrown as WireError).code).toStartWith("HPE_");
    }
  });

  test("has the bytes that were put into chunks, whatever their sizes and wherever they are cut", () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % below;
    };
    for (let round = 0; round < 300; round++) {
      const chunks = Array.from({ length: random(12) }, () =>
        Array.from({ length: 1 + random(40) }, () => "\r\n0a;"[random(5)]).join(""),
      );
      const framed = `${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("")}0\r\n\r\n`;
      const cuts = Array.from({ length: random(8) }, () => random(framed.length)).sort((a, b) => a - b);
      const { text, body } = read(cutAt(framed, cuts));
      expect([text, body.isWhole]).toEqual([chunks.join(""), true]);
    }
  });
});
