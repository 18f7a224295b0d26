import type { Text } from "#protocols/body-scan/encoded-text.ts";
import { sessionIdOf } from "#protocols/session-key.ts";
import { textsOf } from "./content.ts";

/** What Claude Code calls itself, with three whole numbers as its version. */
const USER_AGENT = /^claude-cli\/(\d{1,9}\.\d{1,9}\.\d{1,9})/i;

/** How far into a block its opening is looked for, in characters. */
const OPENING_LENGTH_MAX = 400;

/**
 * How Claude Code's system prompts begin: with its own name, with the role of one of its agents ("You are a file
 * search specialist for Claude Code"), as an agent of its SDK, or with one of the two prompts that do not name it.
 *
 * A prompt's opening must be one of these. How much a prompt resembles them on the whole is no measure: short
 * everyday prompts ("You are a helpful assistant.") come close to the short ones, and a long prompt comes close
 * to none, although it begins with one.
 */
const OPENINGS: readonly RegExp[] = [
  /^you are (?:an? [^.]{1,80} for )?claude code\b/,
  /^you are a claude agent, built on anthropic.s claude agent sdk\b/,
  /^you are a helpful ai assistant tasked with summarizing conversations\b/,
  /^you are an interactive cli tool that helps users\b/,
];

/** The version of Claude Code, as `x.y.z`, that a user agent names; undefined when it is another client's. */
export function claudeCodeVersion(userAgent: string | null | undefined): string | undefined {
  return USER_AGENT.exec(userAgent ?? "")?.[1];
}

/** Whether a body has Claude Code's marks: the opening of one of its prompts, and its form of `metadata.user_id`. */
export function hasClaudeCodeMarks(system: unknown, metadataUserId: string | undefined): boolean {
  return sessionIdOf(metadataUserId) !== undefined && textsOf(system).some(isClaudeCodePrompt);
}

function isClaudeCodePrompt(text: Text): boolean {
  const opening = text
    .toString()
    .trimStart()
    .slice(0, OPENING_LENGTH_MAX)
    .replaceAll(/\s+/g, " ")
    .toLowerCase();
  return OPENINGS.some((pattern) => pattern.test(opening));
}
