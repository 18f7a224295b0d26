import { describe, expect, test } from "bun:test";
import type { AnswerHead } from "#upstream/http1/answer-head.ts";
import { AnswerHeadReader } from "#upstream/http1/answer-head-reader.ts";
import { WireError } from "#upstream/http1/wire-error.ts";
import { thrownBy } from "../requests.ts";
import { eachCut } from "./pieces.ts";

/** Reads pieces up to the end of a head; what was left of the last one belongs to the body. */
function read(
  pieces: readonly Buffer[],
  reader = new AnswerHeadReader(),
): { readonly head: AnswerHead | undefined; readonly rest: string } {
  let index = 0;
  for (const piece of pieces) {
    index++;
    const head = reader.read(piece);
    if (head === undefined) continue;
    const rest = [piece.subarray(reader.bodyAt), ...pieces.slice(index)];
    return { head, rest: Buffer.concat(rest).toString("latin1") };
  }
  return { head: undefined, rest: "" };
}

const readText = (text: string) => read([Buffer.from(text, "latin1")]);

const HEAD =
  "HTTP/1.1 200 OK\r\nContent-Type: text/plain \r\nX-A: 1\r\nx-a:2\r\nset-cookie: a=b\r\nSet-Cookie: c=d\r\n" +
  "X-Name: caf\u00e9\r\nContent-Length: 5\r\n\r\n";
const INTERIM = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";

describe("the head of an answer", () => {
  test("reads the same wherever it is cut, and leaves the body alone", () => {
    for (const pieces of eachCut(`${INTERIM}${HEAD}HTTP/1`, 1)) {
      const { head, rest } = read(pieces);
      expect(head?.status).toBe(200);
      expect(head?.headers).toEqual({
        "content-type": "text/plain",
        "x-a": "1, 2",
        "set-cookie": ["a=b", "c=d"],
        "x-name": "caf\u00e9",
        "content-length": "5",
      });
      expect(rest).toBe("HTTP/1");
    }
  });

  test("has all its headers, however many they are", () => {
    const lines = Array.from({ length: 300 }, (_, index) => `x-${index}: ${index}\r\n`).join("");
    for (const pieces of [
      [Buffer.from(`HTTP/1.1 200 OK\r\n${lines}\r\n`)],
      [...Buffer.from(`HTTP/1.1 200 OK\r\n${lines}\r\n`)].map((byte) => Buffer.of(byte)),
    ]) {
      const { head } = read(pieces);
      expect(Object.keys(head?.headers ?? {})).toHaveLength(300);
      expect(head?.headers["x-299"]).toBe("299");
    }
  });

  test("has nothing of the head before it on the same connection", () => {
    const reader = new AnswerHeadReader();
    read([Buffer.from("HTTP/1.1 500 No\r\nx-before: 1\r\ncontent-length: 0\r\n\r\n")], reader);
    const { head } = read([Buffer.from("HTTP/1.1 201 Yes\r\ncontent-length: 0\r\n\r\n")], reader);
    expect([head?.status, head?.headers]).toEqual([201, { "content-length": "0" }]);
  });

  test("names are no way to an object's own properties", () => {
    const { head } = readText(
      "HTTP/1.1 200 OK\r\n__proto__: a\r\nconstructor: b\r\ntoString: c\r\ncontent-length: 0\r\n\r\n",
    );
    expect(head?.headers["constructor"]).toBe("b");
    expect(head?.headers["tostring"]).toBe("c");
    expect({} as Record<string, unknown>).not.toHaveProperty("a");
    expect(typeof {}.toString).toBe("function");
  });

  test.each([
    ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true],
    ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", false],
    ["HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", false],
    ["HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n", true],
    ["HTTP/1.1 200 OK\r\n\r\n", false],
    ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", true],
  ])("says whether its connection may be used again: %j", (text, isReusable) => {
    expect(readText(text).head?.isReusable).toBe(isReusable);
  });

  test.each([
    ["HTTP/1.1 204 No\r\ncontent-length: 9\r\n\r\n", "sized, whole"],
    ["HTTP/1.1 304 No\r\n\r\n", "sized, whole"],
    ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "sized, whole"],
    ["HTTP/1.1 200 OK\r\ncontent-length: 007\r\n\r\n", "sized"],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", "sized"],
    ["HTTP/1.1 200 OK\r\n\r\n", "unending"],
  ])("frames its body: %j", (text, framing) => {
    const body = readText(text).head?.body;
    const kind = body?.endsWithConnection ? "unending" : "sized";
    expect(body?.isWhole ? `${kind}, whole` : kind).toBe(framing);
  });

  test.each([
    ["lengths that differ", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"],
    ["a list of lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\n"],
    ["a length and chunks", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n"],
    ["chunks and a length", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n"],
    ["a negative length", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"],
    ["a length in hexadecimal", "HTTP/1.1 200 OK\r\ncontent-length: 0x1\r\n\r\n"],
    ["a length without digits", "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n"],
    ["a length that no number holds", "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999\r\n\r\n"],
    ["another transfer coding", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n"],
    ["two transfer codings", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n"],
    ["chunks twice", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"],
    ["a space before the colon", "HTTP/1.1 200 OK\r\ncontent-length : 1\r\n\r\n"],
    ["a folded line", "HTTP/1.1 200 OK\r\nx-a: 1\r\n 2\r\ncontent-length: 0\r\n\r\n"],
    ["bare line feeds", "HTTP/1.1 200 OK\ncontent-length: 0\n\n"],
    ["a null byte", "HTTP/1.1 200 OK\r\nx-a: \0\r\n\r\n"],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    ["another version", "HTTP/3.0 200 OK\r\n\r\n"],
    ["an upgrade nobody asked for", "HTTP/1.1 101 Switching\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"],
    ["a request", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"],
    ["more than 64 KiB", `HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(70_000)}\r\n\r\n`],
    ["64 KiB of short lines", `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(20_000)}\r\n`],
  ])("is refused for %s", async (_, text) => {
    for (const pieces of [[Buffer.from(text)], [...Buffer.from(text)].map((byte) => Buffer.of(byte))]) {
      const thrown = await thrownBy(Promise.try(() => read(pieces)));
      expect(thrown).toBeInstanceOf(WireError);
      expect((thrown as WireError).code).toStartWith("HPE_");
    }
  });

  test("interim answers without end are refused", async () => {
    const endless = Array.from({ length: 3_000 }, () => Buffer.from("HTTP/1.1 103 Hint\r\nx-a: 1\r\n\r\n"));
    expect(await thrownBy(Promise.try(() => read(endless)))).toBeInstanceOf(WireError);
  });
});
