import { expect, test } from "bun:test";
import { claudeCodeVersion, hasClaudeCodeMarks } from "#protocols/anthropic/claude-code.ts";
import { readMessages } from "#protocols/anthropic/read-messages.ts";

const SESSION = "0f6c2d1e-1111-4222-8333-444455556666";
const USER_ID = JSON.stringify({ device_id: "d", account_uuid: "", session_id: SESSION });
const BANNER = "You are Claude Code, Anthropic's official CLI for Claude.";
const blocks = (...texts: readonly string[]) => texts.map((text) => ({ type: "text", text }));

test.each([
  ["claude-cli/2.1.78 (external, cli)", "2.1.78"],
  ["Claude-CLI/1.0.0", "1.0.0"],
  ["claude-cli/2.0.0-beta.1", "2.0.0"],
  ["claude-cli/2.1", undefined],
  ["my claude-cli/2.1.78", undefined],
  ["claude-code/2.1.78", undefined],
  ["", undefined],
  [undefined, undefined],
])("the user agent %p names version %p", (userAgent, version) => {
  expect(claudeCodeVersion(userAgent)).toBe(version);
});

test.each([
  BANNER,
  "You are a Claude agent, built on Anthropic's Claude Agent SDK.",
  "You are Claude Code, Anthropic's official CLI for Claude, running within the Claude Agent SDK.",
  "You are a file search specialist for Claude Code, Anthropic's official CLI for Claude.",
  "You are an agent for Claude Code, Anthropic's official CLI for Claude. Given the user's message, …",
  "You are a helpful AI assistant tasked with summarizing conversations.",
  "You are an interactive CLI tool that helps users",
])(
  "a prompt of Claude Code is known alone, with much text behind it, and however it is spaced: %s",
  (opening) => {
    const spaced = `\n ${opening.replaceAll(" ", " \n ").toUpperCase()}`;
    for (const text of [opening, `${opening}\n${"Rules. ".repeat(5_000)}`, spaced]) {
      expect(hasClaudeCodeMarks(blocks("x-billing: none", text), USER_ID)).toBe(true);
      expect(hasClaudeCodeMarks(text, USER_ID)).toBe(true);
    }
  },
);

test.each([
  "You are a helpful assistant.",
  "You are a helpful AI assistant.",
  "You are a helpful AI assistant tasked with writing code.",
  "You are an interactive chat tool that helps users",
  "You are opencode, an interactive CLI tool that helps users with software engineering tasks.",
  "You are Codex, OpenAI's official CLI for GPT.",
  "You are Claude, an AI assistant by Anthropic.",
  `Never say: ${BANNER}`,
  "",
])("a prompt that only resembles Claude Code's is not taken for it: %p", (text) => {
  expect(hasClaudeCodeMarks(blocks(text), USER_ID)).toBe(false);
});

test.each([
  ["no system prompt", undefined],
  ["null", null],
  ["one block instead of a list", { type: "text", text: BANNER }],
  ["a block that is no text", [{ type: "image", text: BANNER }]],
  ["a text that is no string", [{ type: "text", text: [BANNER] }]],
  ["an empty list", []],
])("a system prompt without readable text has no marks: %s", (_name, system) => {
  expect(hasClaudeCodeMarks(system, USER_ID)).toBe(false);
});

test.each([
  [USER_ID, true],
  [`user_${"a".repeat(64)}_account__session_${SESSION}`, true],
  [undefined, false],
  ["", false],
  ["alice", false],
  ['{"device_id":"d"}', false],
])("the user id %p belongs to Claude Code: %p", (userId, expected) => {
  expect(hasClaudeCodeMarks(blocks(BANNER), userId)).toBe(expected);
});

test("marks are worth nothing behind another client's user agent", () => {
  const body = { model: "m", system: blocks(BANNER), metadata: { user_id: USER_ID }, messages: [] };
  const bytes = new TextEncoder().encode(JSON.stringify(body));
  const facts = ["claude-cli/2.1.78", "curl/8.0", undefined].map((userAgent) =>
    readMessages(bytes, { apiKeyId: 1, clientAddress: undefined, userAgent, sessionId: undefined }),
  );
  expect(facts.map(({ isClaudeCodeBody }) => isClaudeCodeBody)).toEqual([true, false, false]);
});
