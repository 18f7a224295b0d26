import { expect, test } from "bun:test";
import { MessageMeter } from "#protocols/anthropic/message-meter.ts";

const odd = { toString: 1, valueOf: null };

test.each([
  [{ error: { type: "overloaded_error", message: "Busy" } }, { type: "overloaded_error", message: "Busy" }],
  [{ error: { type: odd, message: [odd] } }, { type: "", message: "" }],
  [{ error: { type: 7, message: null } }, { type: "", message: "" }],
  [{ error: "Busy" }, { type: "", message: "" }],
  [{}, { type: "", message: "" }],
])("an error event is an error whatever is in it: %j", (content, error) => {
  const meter = new MessageMeter();
  meter.push(new TextEncoder().encode(`event: error\ndata: ${JSON.stringify(content)}\n\n`));
  meter.end();
  expect(meter.error).toEqual(error);
  expect(meter.isWhole).toBe(false);
});

test("an event with more data than is ever needed is passed over, and what was read before stays", () => {
  const meter = new MessageMeter();
  const push = (text: string): void => meter.push(new TextEncoder().encode(text));
  push('event: message_start\ndata: {"message":{"usage":{"input_tokens":7,"output_tokens":1}}}\n\n');
  push("event: message_delta\n");
  for (let line = 0; line < 100; line++) push(`data: ${" ".repeat(20_000)}\n`);
  push('data: {"usage":{"output_tokens":999}}\n\n');
  expect(meter.usage).toMatchObject({ inputTokens: 7, outputTokens: 1 });
  push("event: message_delta\n");
  for (let line = 0; line < 1_100_000; line += 1_000) push("data:\n".repeat(1_000));
  push('data: {"usage":{"output_tokens":999}}\n\n');
  expect(meter.usage).toMatchObject({ inputTokens: 7, outputTokens: 1 });
  push('event: message_delta\ndata: {"usage":{"output_tokens":20}}\n\nevent: message_stop\ndata: {}\n\n');
  expect(meter.usage).toMatchObject({ inputTokens: 7, outputTokens: 20 });
  expect(meter.isWhole).toBe(true);
});

test("output that has passed is guessed at until the upstream reports it", () => {
  const meter = new MessageMeter();
  const push = (event: string, data: unknown): void =>
    meter.push(new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`));
  push("message_start", { message: { usage: { input_tokens: 7, output_tokens: 1 } } });
  expect(meter.usageSoFar).toMatchObject({ inputTokens: 7, outputTokens: 1 });
  let guess = 0;
  for (let index = 0; index < 10; index++) {
    const delta = { type: "text_delta", text: "x".repeat(35) };
    push("content_block_delta", { type: "content_block_delta", index: 0, delta });
    expect(meter.usageSoFar.outputTokens).toBeGreaterThan(guess);
    guess = meter.usageSoFar.outputTokens;
  }
  expect(guess).toBeGreaterThan(50);
  expect(guess).toBeLessThan(200);
  expect(meter.usage.outputTokens).toBe(1);
  push("message_delta", { usage: { output_tokens: 3 } });
  expect(meter.usageSoFar).toEqual(meter.usage);
  expect(meter.usage.outputTokens).toBe(3);
});
