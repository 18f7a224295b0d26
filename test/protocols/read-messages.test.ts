import { expect, test } from "bun:test";
import { readMessages } from "#protocols/anthropic/read-messages.ts";

const SEED = {
  apiKeyId: 1,
  clientAddress: "127.0.0.1",
  userAgent: "claude-cli/2.1.0",
  sessionId: undefined,
};
const read = (body: unknown) => readMessages(new TextEncoder().encode(JSON.stringify(body)), SEED);
const shapeOf = (messages: unknown) => read({ model: "m", messages }).messages;

test.each([
  ["a string", [{ role: "user", content: "Hi" }], true],
  ["text", [{ role: "user", content: [{ type: "text", text: "Hi" }] }], true],
  ["no content at all", [{ role: "user" }], true],
  ["content that is no list", [{ role: "user", content: { type: "tool_result" } }], true],
  ["an empty list", [{ role: "user", content: [] }], true],
  ["shapes nobody sends", [{ role: "user", content: [null, 1, { type: ["tool_result"] }] }], true],
  ["a tool's result", [{ role: "user", content: [{ type: "tool_result" }] }], false],
  ["a tool's result in its other name", [{ role: "user", content: [{ type: "tool_use_result" }] }], false],
  [
    "text and a tool's result",
    [{ role: "user", content: [{ type: "text" }, { type: "tool_result" }] }],
    false,
  ],
  ["an assistant's words", [{ role: "user" }, { role: "assistant", content: "Hi" }], false],
  ["another role", [{ role: "User", content: "Hi" }], false],
  ["something that is no message", ["Hi"], false],
  ["nothing", [], false],
])("whether the last message is a person's is told from %s", (_name, messages, expected) => {
  expect(shapeOf(messages)).toEqual({ count: messages.length, isUserTurn: expected });
});

test("only the last message decides whose turn it is", () => {
  const result = { role: "user", content: [{ type: "tool_result" }] };
  expect(shapeOf([result, { role: "user", content: "Hi" }]).isUserTurn).toBe(true);
  expect(shapeOf([{ role: "user", content: "Hi" }, result]).isUserTurn).toBe(false);
});

test("messages that are no list count as none", () => {
  for (const messages of [undefined, null, "Hi", { role: "user" }]) {
    expect(shapeOf(messages)).toEqual({ count: 0, isUserTurn: false });
  }
});

test("a field of any shape is read or passed over, never stumbled upon", () => {
  const bottomless = { toString: 1, valueOf: null, length: -1 };
  for (const odd of [
    bottomless,
    [bottomless],
    null,
    7,
    "",
    [[]],
    { type: bottomless },
    [{ type: bottomless }],
  ]) {
    const facts = read({
      model: "m",
      system: odd,
      thinking: { type: odd },
      output_config: { effort: odd },
      metadata: { user_id: odd },
      messages: [odd, { role: odd, content: odd }, { role: "user", content: odd }],
    });
    expect(facts).toMatchObject({ thinking: false, isClaudeCodeBody: false, housekeeping: undefined });
  }
});

test("of a field that stands twice, the last one counts", () => {
  const text = `{"model":"m","messages":[{"role":"user","content":"Warmup"}],"messages":[],"max_tokens":9,"max_tokens":1}`;
  const facts = readMessages(new TextEncoder().encode(text), SEED);
  expect(facts).toMatchObject({ maxTokens: 1, housekeeping: undefined, messages: { count: 0 } });
});
