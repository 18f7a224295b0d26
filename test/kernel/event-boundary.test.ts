import { expect, test } from "bun:test";
import { EventBoundary } from "#kernel/event-boundary.ts";

const utf8 = new TextEncoder();
const bytesOf = (text: string): Uint8Array => utf8.encode(text);
const textOf = (pieces: readonly Uint8Array[]): string => Buffer.concat([...pieces]).toString();

/** More than is ever held back. */
const LONG = `data: ${"x".repeat(1_100_000)}`;

test.each([["\n"], ["\r\n"]])(
  "what is passed on always ends with an event, however the stream is cut, with line ends %j",
  (lineEnd) => {
    const stream = ["event: a", "data: 1", "", "data: 2", "", "data: 3", "", ""].join(lineEnd);
    for (let size = 1; size <= stream.length; size++) {
      const boundary = new EventBoundary();
      let passed = "";
      for (let at = 0; at < stream.length; at += size) {
        passed += textOf(boundary.split(bytesOf(stream.slice(at, at + size))));
        expect([size, passed === "" || passed.endsWith(lineEnd + lineEnd)]).toEqual([size, true]);
        expect([size, boundary.isAtBoundary]).toEqual([size, true]);
      }
      expect(passed).toBe(stream);
    }
  },
);

test("an unfinished event is held back, and is not passed on when the stream breaks", () => {
  const boundary = new EventBoundary();
  expect(textOf(boundary.split(bytesOf("data: 1\n\ndata: 2\n")))).toBe("data: 1\n\n");
  expect(boundary.isAtBoundary).toBe(true);
  expect(textOf(boundary.flush())).toBe("data: 2\n");
  expect(boundary.isAtBoundary).toBe(false);
});

test("an event too long to be held back passes as it comes, and says that it is not finished", () => {
  const boundary = new EventBoundary();
  expect(textOf(boundary.split(bytesOf(LONG)))).toBe(LONG);
  expect(boundary.isAtBoundary).toBe(false);
  expect(textOf(boundary.split(bytesOf("y")))).toBe("");
  expect(boundary.isAtBoundary).toBe(false);
  expect(textOf(boundary.split(bytesOf("\n\n")))).toBe("y\n\n");
  expect(boundary.isAtBoundary).toBe(true);
});

test("an event too long to be held back passes too when it follows a finished one within a chunk", () => {
  const boundary = new EventBoundary();
  const chunk = `data: 1\n\n${LONG}`;
  expect(textOf(boundary.split(bytesOf(chunk)))).toBe(chunk);
  expect(boundary.isAtBoundary).toBe(false);
});

test("chunks that are whole events pass as they are, without a copy", () => {
  const chunk = bytesOf("data: 1\n\n");
  expect(new EventBoundary().split(chunk)[0]).toBe(chunk);
});

test("at the start and after nothing at all, an event can follow", () => {
  const boundary = new EventBoundary();
  expect(boundary.isAtBoundary).toBe(true);
  expect(boundary.flush()).toEqual([]);
  expect(boundary.isAtBoundary).toBe(true);
});
