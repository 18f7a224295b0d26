import { expect, test } from "bun:test";
import { EventBoundary } from "#kernel/event-boundary.ts";
import { MessageMeter } from "#protocols/anthropic/message-meter.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const event = (name: string, data: object | string): string =>
  `event: ${name}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

const STREAM = [
  event("message_start", {
    type: "message_start",
    message: {
      usage: {
        input_tokens: 12,
        output_tokens: 1,
        cache_creation_input_tokens: 7,
        cache_read_input_tokens: 9,
        cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 },
      },
    },
  }),
  event("ping", { type: "ping" }),
  ": a comment\n\n",
  event("content_block_start", { type: "content_block_start", index: 0 }),
  event("content_block_delta", { type: "content_block_delta", delta: { text: "世界 🎉 event: x\\n\\n" } }),
  event("content_block_delta", "not json at all"),
  event("content_block_stop", { type: "content_block_stop", index: 0 }),
  event("message_delta", { type: "message_delta", usage: { output_tokens: 34 } }),
  event("message_stop", { type: "message_stop" }),
].join("");

const EXPECTED = {
  inputTokens: 12,
  outputTokens: 34,
  cacheCreationTokens: 7,
  cacheCreation5mTokens: 3,
  cacheCreation1hTokens: 4,
  cacheReadTokens: 9,
};

function split(bytes: Uint8Array, shuffle: Shuffle, longest: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + shuffle.below(longest);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

for (const [name, text] of [
  ["LF", STREAM],
  ["CRLF", STREAM.replaceAll("\n", "\r\n")],
] as const) {
  const bytes = new TextEncoder().encode(text);

  test(`the meter reads the same from any split (${name})`, () => {
    for (let seed = 0; seed < 500; seed++) {
      const meter = new MessageMeter();
      for (const piece of split(bytes, new Shuffle(seed), 1 + (seed % 40))) meter.push(piece);
      meter.end();
      expect({ seed, usage: meter.usage, whole: meter.isWhole, content: meter.hasContent }).toEqual({
        seed,
        usage: EXPECTED,
        whole: true,
        content: true,
      });
    }
  });

  test(`holding events back changes no byte and never lets half an event through (${name})`, () => {
    for (let seed = 0; seed < 500; seed++) {
      const boundary = new EventBoundary();
      const passed: Uint8Array[] = [];
      for (const piece of split(bytes, new Shuffle(seed), 1 + (seed % 40))) {
        passed.push(...boundary.split(piece));
        const soFar = Buffer.concat(passed).toString();
        expect(soFar === "" || /\n\r?\n$/.test(soFar)).toBe(true);
      }
      passed.push(...boundary.flush());
      expect(Buffer.concat(passed).equals(bytes)).toBe(true);
    }
  });
}

test("an answer without its last event is not whole", () => {
  const meter = new MessageMeter();
  meter.push(new TextEncoder().encode(STREAM.slice(0, STREAM.indexOf("event: message_stop"))));
  meter.end();
  expect([meter.isWhole, meter.usage.outputTokens]).toEqual([false, 34]);
});

test("a last event without its blank line counts, as it has come whole", () => {
  const meter = new MessageMeter();
  meter.push(new TextEncoder().encode(STREAM.trimEnd()));
  meter.end();
  expect(meter.isWhole).toBe(true);
});

test("an error event within the stream is seen, and the answer is not whole", () => {
  const meter = new MessageMeter();
  meter.push(
    new TextEncoder().encode(event("error", { type: "error", error: { type: "overloaded_error" } })),
  );
  expect([meter.error?.type, meter.isWhole]).toEqual(["overloaded_error", false]);
});

test("events without a name are read by their type", () => {
  const meter = new MessageMeter();
  const data = STREAM.replaceAll(/event: \w+\n/g, "");
  meter.push(new TextEncoder().encode(data));
  meter.end();
  expect([meter.isWhole, meter.usage]).toEqual([true, EXPECTED]);
});

test("a line of many megabytes is passed over without being kept", () => {
  const meter = new MessageMeter();
  meter.push(new TextEncoder().encode(event("message_start", { message: {} })));
  meter.push(new TextEncoder().encode("event: message_delta\ndata: "));
  for (let piece = 0; piece < 64; piece++) meter.push(new Uint8Array(1_000_000).fill(65));
  meter.push(new TextEncoder().encode(`\n\n${event("message_stop", { type: "message_stop" })}`));
  expect(meter.isWhole).toBe(true);
});
