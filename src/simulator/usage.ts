import type { Plan } from "./plan.ts";

/** Tokens of one answer, in the field order of Anthropic's `usage` object. */
export interface Usage {
  readonly input_tokens: number;
  readonly cache_creation_input_tokens: number;
  readonly cache_read_input_tokens: number;
  readonly cache_creation: {
    readonly ephemeral_5m_input_tokens: number;
    readonly ephemeral_1h_input_tokens: number;
  };
  readonly output_tokens: number;
}

/** No tokens at all. */
export const NO_USAGE: Usage = {
  input_tokens: 0,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 0,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  output_tokens: 0,
};

/** Anthropic's own rule of thumb for English text; any fixed ratio would do. */
const BYTES_PER_TOKEN = 4;

/** Tokens of a text of so many bytes, at least one. */
export function tokensOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / BYTES_PER_TOKEN));
}

/**
 * What an answer costs: the plan's figures, and for those it leaves out, figures that depend only on
 * the length of request and answer. A cache write without a breakdown counts as the five-minute kind.
 */
export function usageOf({ usage = {} }: Plan, requestBytes: number, answerBytes: number): Usage {
  const hour = usage.cache_creation?.ephemeral_1h_input_tokens ?? 0;
  const written = usage.cache_creation_input_tokens;
  const fiveMinutes =
    usage.cache_creation?.ephemeral_5m_input_tokens ?? Math.max(0, (written ?? hour) - hour);
  return {
    input_tokens: usage.input_tokens ?? tokensOf(requestBytes),
    cache_creation_input_tokens: written ?? fiveMinutes + hour,
    cache_read_input_tokens: usage.cache_read_input_tokens ?? 0,
    cache_creation: { ephemeral_5m_input_tokens: fiveMinutes, ephemeral_1h_input_tokens: hour },
    output_tokens: usage.output_tokens ?? tokensOf(answerBytes),
  };
}

/** What `message_start` reports: all of the input and the first output token. */
export function usageAtStart(usage: Usage): Usage {
  return { ...usage, output_tokens: Math.min(1, usage.output_tokens) };
}

/** Adds two bills. */
export function addUsage(one: Usage, other: Usage): Usage {
  return {
    input_tokens: one.input_tokens + other.input_tokens,
    cache_creation_input_tokens: one.cache_creation_input_tokens + other.cache_creation_input_tokens,
    cache_read_input_tokens: one.cache_read_input_tokens + other.cache_read_input_tokens,
    cache_creation: {
      ephemeral_5m_input_tokens:
        one.cache_creation.ephemeral_5m_input_tokens + other.cache_creation.ephemeral_5m_input_tokens,
      ephemeral_1h_input_tokens:
        one.cache_creation.ephemeral_1h_input_tokens + other.cache_creation.ephemeral_1h_input_tokens,
    },
    output_tokens: one.output_tokens + other.output_tokens,
  };
}
