import { NO_USAGE, type TokenUsage } from "#domain/usage-record.ts";

const utf8 = new TextDecoder();

/** Untrusted JSON, seen as a record. */
export type JsonRecord = { readonly [key: string]: unknown };

/** The value as a record, or an empty one. */
export function asRecord(value: unknown): JsonRecord {
  return typeof value === "object" && value !== null ? (value as JsonRecord) : {};
}

/**
 * Lays a `usage` object of the Messages API over what is known so far. Only positive whole numbers
 * replace: `message_delta` repeats some counts and leaves others out or at zero.
 *
 * Fields: https://platform.claude.com/docs/en/api/messages (`usage`, `usage.cache_creation`).
 */
export function mergeUsage(known: TokenUsage, raw: unknown): TokenUsage {
  const usage = asRecord(raw);
  const split = asRecord(usage["cache_creation"]);
  const fiveMinutes = count(split["ephemeral_5m_input_tokens"], known.cacheCreation5mTokens);
  const oneHour = count(split["ephemeral_1h_input_tokens"], known.cacheCreation1hTokens);
  const total = count(usage["cache_creation_input_tokens"], known.cacheCreationTokens);
  return {
    inputTokens: count(usage["input_tokens"], known.inputTokens),
    outputTokens: count(usage["output_tokens"], known.outputTokens),
    cacheCreationTokens: Math.max(total, fiveMinutes + oneHour),
    // Without a split every cache write is a five-minute one, the API's default lifetime.
    cacheCreation5mTokens: Math.max(fiveMinutes, total - oneHour),
    cacheCreation1hTokens: oneHour,
    cacheReadTokens: count(usage["cache_read_input_tokens"], known.cacheReadTokens),
  };
}

/** Reads the usage of a whole, unstreamed Messages answer; undefined when it holds none. */
export function readUsage(body: Uint8Array): TokenUsage | undefined {
  try {
    const usage = asRecord(JSON.parse(utf8.decode(body)))["usage"];
    return usage === undefined ? undefined : mergeUsage(NO_USAGE, usage);
  } catch {
    // Not JSON: the answer is relayed as it is and counted as nothing known.
    return undefined;
  }
}

function count(value: unknown, known: number): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : known;
}
