import type { RuntimeSettings } from "#domain/settings.ts";

/** Share of an account's requests per minute below which messages are not slowed down, and from which fully. */
const EASY_SHARE = 0.5;
const BUSY_SHARE = 0.8;

/**
 * The pause between two messages of people through one account, in milliseconds: the shortest while it has few
 * requests in this minute, the longest near its limit, and in between in proportion. Without a limit it is the
 * shortest.
 */
export function pacingDelayMs(
  requestsInMinute: number,
  limitPerMinute: number | undefined,
  settings: Pick<RuntimeSettings, "user_message_delay_min_ms" | "user_message_delay_max_ms">,
): number {
  const { user_message_delay_min_ms: minMs, user_message_delay_max_ms: maxMs } = settings;
  if (limitPerMinute === undefined) return minMs;
  const share = (requestsInMinute / limitPerMinute - EASY_SHARE) / (BUSY_SHARE - EASY_SHARE);
  return Math.round(minMs + Math.min(1, Math.max(0, share)) * (maxMs - minMs));
}
