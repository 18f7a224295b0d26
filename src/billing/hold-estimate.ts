import { NO_USAGE } from "#domain/usage-record.ts";
import { costOf, type ModelPrice } from "./prices.ts";

/**
 * Bytes of a request's body that make one token. Anthropic gives about 3.5 characters of English a token
 * (https://docs.claude.com/en/docs/about-claude/glossary#tokens); the JSON around the text makes the guess a
 * little high, text in other scripts, of two or three bytes a character, about right.
 */
const BYTES_PER_TOKEN = 3.5;
/** The least input of any request, in tokens: Anthropic counts 8 for a message of one word. */
const INPUT_TOKENS_MIN = 8;
/** The largest context that any model has, in tokens. Bodies beyond it are pictures and files, not text. */
const INPUT_TOKENS_MAX = 1_000_000;

/** What a request's cost is guessed from. */
export interface EstimateFacts {
  readonly price: ModelPrice;
  /** What costs are multiplied with: 1_000_000_000n is 1.0, 0n is free. */
  readonly multiplierNanos: bigint;
  /** Size of the body; without the data of pictures and files where that is known. */
  readonly bodyBytes: number;
  /** The client's own limit; undefined: it named none. */
  readonly maxTokens: number | undefined;
  /** What most answers of this key and model stayed within; undefined: too few are known. */
  readonly recentOutputTokens95: number | undefined;
  /** What stands in for it. */
  readonly firstGuessTokens: number;
}

/**
 * What a request may cost, in nano-dollars: never more than 2^53. A guess, made so that it is seldom too low; what
 * it was too low by is asked for while the answer runs. Nothing of the input is taken to be cached.
 */
export function estimateNanos(facts: EstimateFacts): number {
  const { price, multiplierNanos, bodyBytes, maxTokens, recentOutputTokens95, firstGuessTokens } = facts;
  const inputTokens = Math.ceil(bodyBytes / BYTES_PER_TOKEN);
  const expectedTokens = recentOutputTokens95 ?? firstGuessTokens;
  const usage = {
    ...NO_USAGE,
    inputTokens: Math.min(INPUT_TOKENS_MAX, Math.max(INPUT_TOKENS_MIN, inputTokens)),
    outputTokens: Math.max(0, Math.min(maxTokens ?? expectedTokens, expectedTokens)),
  };
  return Math.min(Number.MAX_SAFE_INTEGER, Number(costOf(price, usage, multiplierNanos)));
}
