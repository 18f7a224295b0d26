import { isSameText, type Text } from "#protocols/body-scan/encoded-text.ts";
import type { CallFacts, Housekeeping } from "#protocols/call-facts.ts";
import { textsOf } from "./content.ts";
import { asRecord } from "./usage.ts";

/** How Claude Code begins the message that asks what its user may want to say next. */
const SUGGESTION_MARK = "[SUGGESTION MODE:";
/** The whole message with which Claude Code fills the prompt cache before its user has asked anything. */
const WARM_UP = "Warmup";
/** From the message with which Claude Code asks for the title of a conversation. */
const TITLE_REQUEST = "Please write a 5-10 word title for the following conversation:";
/** From the system prompt with which Claude Code asks whether a message begins a new topic. */
const TOPIC_PROMPT =
  "nalyze if this message indicates a new conversation topic. If it does, extract a 2-3 word title";

/**
 * What a coding assistant asks on its own account, without its user; undefined for every other request.
 *
 * Only what is asked now counts: the last message, and of warm-ups only the first turn, besides the system prompt.
 * The same words further up are part of a real conversation, which must not be answered with a title. That also
 * bounds the cost: the rest of a long conversation is not looked at.
 */
export function readHousekeeping(system: unknown, messages: readonly unknown[]): Housekeeping | undefined {
  if (isSuggestion(messages.at(-1))) return "suggestion";
  if (isWarmUpTurn(messages)) return "warmup";
  return textsOf(system).some((text) => text.includes(TOPIC_PROMPT)) ? "warmup" : undefined;
}

/** Whether a request only asks if the model answers at all: one token of a small model, not streamed. */
export function isProbe({
  maxTokens,
  stream,
  model,
}: Pick<CallFacts, "maxTokens" | "stream" | "model">): boolean {
  return maxTokens === 1 && !stream && model.toLowerCase().includes("haiku");
}

function isSuggestion(last: unknown): boolean {
  const { role, content } = asRecord(last);
  return role === "user" && (textsOf(content)[0]?.startsWith(SUGGESTION_MARK) ?? false);
}

/** What follows a person's message may be the beginning of the answer, which some versions put there. */
function isWarmUpTurn(messages: readonly unknown[]): boolean {
  const asked = messages.findLastIndex((message) => asRecord(message)["role"] === "user");
  if (messages.slice(0, asked).some((message) => asRecord(message)["role"] === "assistant")) return false;
  return textsOf(asRecord(messages[asked])["content"]).some(isWarmUp);
}

function isWarmUp(text: Text): boolean {
  return isSameText(text, WARM_UP) || text.includes(TITLE_REQUEST);
}
