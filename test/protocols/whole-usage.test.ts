import { describe, expect, test } from "bun:test";
import { readUsage } from "#protocols/anthropic/usage.ts";

const USAGE = { input_tokens: 7, output_tokens: 9, cache_read_input_tokens: 3 };
const OTHER = { input_tokens: 1_000, output_tokens: 1_000 };
const TOLD = { inputTokens: 7, outputTokens: 9, cacheReadTokens: 3 };
const LONG = 'text, "usage":{"input_tokens":1} and \\ so on \u{1f600} '.repeat(100);

const bytesOf = (value: unknown, indent?: number) =>
  new TextEncoder().encode(JSON.stringify(value, null, indent));

describe.each([
  ["a short answer", "text"],
  ["a long answer", LONG],
])("the usage of %s", (_, text) => {
  const content = [{ type: "text", text }];

  test.each([
    ["at its end", { id: "a", content, usage: USAGE }],
    ["before its content", { usage: USAGE, content }],
    ["with something behind it", { content, usage: USAGE, container: { id: "x" }, note: text }],
    [
      "beside a tool's own, which comes later",
      { usage: USAGE, content: [{ type: "tool_use", input: { usage: OTHER } }, ...content] },
    ],
    [
      "beside a tool's own, which comes earlier",
      { content: [...content, { type: "tool_use", input: { usage: OTHER } }], usage: USAGE },
    ],
    ["with one inside it", { content, usage: { ...USAGE, iterations: [{ usage: OTHER }], usage: OTHER } }],
  ])("is found %s", (__, answer) => {
    for (const indent of [undefined, 2]) expect(readUsage(bytesOf(answer, indent))).toMatchObject(TOLD);
  });

  test.each([
    ["there is none", { content }],
    ["only a tool has one", { content: [...content, { type: "tool_use", input: { usage: OTHER } }] }],
    ["the answer is a list", [{ content, usage: USAGE }]],
    ["the answer is a text", `${text}"usage":{"input_tokens":1}}`],
  ])("is not made up when %s", (__, answer) => {
    for (const indent of [undefined, 2]) expect(readUsage(bytesOf(answer, indent))).toBeUndefined();
  });

  test("is not made up of an answer that is no JSON", () => {
    const answer = bytesOf({ content, usage: USAGE });
    expect(readUsage(answer.subarray(0, -1))).toBeUndefined();
    expect(readUsage(answer.subarray(1))).toBeUndefined();
    expect(readUsage(new Uint8Array(0))).toBeUndefined();
  });
});
