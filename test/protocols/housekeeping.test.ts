import { expect, test } from "bun:test";
import { isProbe, readHousekeeping } from "#protocols/anthropic/housekeeping.ts";

const TITLE = "Please write a 5-10 word title for the following conversation:";
const TOPIC =
  "Analyze if this message indicates a new conversation topic. If it does, extract a 2-3 word title for it.";
const SUGGESTION = "[SUGGESTION MODE: what may the user say next?]";
const block = (text: string, type = "text") => ({ type, text });
const user = (content: unknown) => ({ role: "user", content });
const assistant = (content: unknown) => ({ role: "assistant", content });

type Row = readonly [
  name: string,
  system: unknown,
  messages: readonly unknown[],
  expected: string | undefined,
];

const ROWS: readonly Row[] = [
  ["a warm-up", undefined, [user([block("Warmup")])], "warmup"],
  ["a warm-up as a plain string", undefined, [user("Warmup")], "warmup"],
  ["a warm-up behind reminders", undefined, [user([block("<system-reminder>"), block("Warmup")])], "warmup"],
  ["a title request", undefined, [user([block(`${TITLE}\n\nHi`)])], "warmup"],
  ["a title request as a plain string", "Be brief.", [user(`So. ${TITLE}`)], "warmup"],
  ["a title request with the answer begun", undefined, [user(TITLE), assistant("{")], "warmup"],
  ["a topic question in the system blocks", [block("Hi"), block(TOPIC)], [user("Hello")], "warmup"],
  ["a topic question in a plain system prompt", TOPIC, [user("Hello"), assistant("{")], "warmup"],
  ["a suggestion", undefined, [user([block(SUGGESTION)])], "suggestion"],
  ["a suggestion as a plain string", undefined, [user(SUGGESTION)], "suggestion"],
  [
    "a suggestion late in a conversation",
    undefined,
    [user("a"), assistant("b"), user(SUGGESTION)],
    "suggestion",
  ],
  ["a suggestion before a topic question", TOPIC, [user(SUGGESTION)], "suggestion"],
  ["an ordinary question", "You write titles.", [user("Warmup exercises?")], undefined],
  ["a warm-up that has been answered", undefined, [user("Warmup"), assistant("ok"), user("Hi")], undefined],
  ["the same word later on", undefined, [user("Hi"), assistant("Hello"), user("Warmup")], undefined],
  ["a title request quoted earlier", undefined, [user(TITLE), assistant("?"), user("Fix it")], undefined],
  [
    "a title request in a tool's result",
    undefined,
    [user([{ type: "tool_result", content: TITLE }])],
    undefined,
  ],
  ["a suggestion mark that is not the beginning", undefined, [user(`See ${SUGGESTION}`)], undefined],
  ["a suggestion mark in the second text", undefined, [user([block("a"), block(SUGGESTION)])], undefined],
  ["a suggestion mark of the assistant", undefined, [user("a"), assistant(SUGGESTION)], undefined],
  ["marks in blocks that are no text", [block(TOPIC, "image")], [user([block("Warmup", "x")])], undefined],
  ["no messages", undefined, [], undefined],
  [
    "shapes nobody sends",
    7,
    [null, [], 3, user({ text: "Warmup" }), user([null, 1, { text: 1 }])],
    undefined,
  ],
];

test.each(ROWS)("%s is told apart", (_name, system, messages, expected) => {
  expect(readHousekeeping(system, messages)).toBe(expected as never);
});

test.each([
  ["claude-haiku-4-5", 1, false, true],
  ["Claude-3-5-HAIKU", 1, false, true],
  ["claude-haiku-4-5", 1, true, false],
  ["claude-haiku-4-5", 2, false, false],
  ["claude-haiku-4-5", 0, false, false],
  ["claude-sonnet-4-6", 1, false, false],
])("%s with %d tokens, streamed: %p, is a probe: %p", (model, maxTokens, stream, expected) => {
  expect(isProbe({ model, maxTokens, stream })).toBe(expected);
});
