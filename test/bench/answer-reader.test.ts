import { expect, test } from "bun:test";
import { AnswerReader } from "../../bench/load/answer-reader.ts";

const WHOLE = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}');
const STREAM = Buffer.from(
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
    "1b\r\nevent: content_block_delta\n\r\n14\r\nevent: message_stop\n\r\n0\r\n\r\n",
);

test.each([
  ["whole", WHOLE],
  ["stream", STREAM],
])("finds the end of a %s answer wherever it is cut", (_, answer) => {
  for (let cut = 1; cut < answer.length; cut++) {
    const reader = new AnswerReader();
    expect(reader.push(Buffer.from(answer.subarray(0, cut)))).toBe(false);
    expect(reader.push(Buffer.from(answer.subarray(cut)))).toBe(true);
    expect(reader.status).toBe(200);
    expect(reader.isWhole).toBe(true);
  }
});

test("tells a stream that ends without its last event from a whole one", () => {
  const reader = new AnswerReader();
  expect(reader.push(Buffer.from(STREAM.toString().replace("message_stop", "message_stip")))).toBe(true);
  expect(reader.isWhole).toBe(false);
});

test("reads one answer after the other on one connection", () => {
  const reader = new AnswerReader();
  for (const answer of [WHOLE, STREAM, WHOLE]) {
    reader.reset();
    expect(reader.push(answer)).toBe(true);
  }
});
