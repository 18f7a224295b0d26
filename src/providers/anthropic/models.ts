import type { ModelCard } from "#providers/provider.ts";

const card = (id: string, displayName: string, day: string): ModelCard => ({
  id,
  displayName,
  createdAt: `${day}T00:00:00Z`,
});

/**
 * Models of the Anthropic API, newest first, as of 2026-04.
 * Source: https://platform.claude.com/docs/en/about-claude/models/overview
 */
export const MODELS: readonly ModelCard[] = [
  card("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-18"),
  card("claude-opus-4-6", "Claude Opus 4.6", "2026-02-06"),
  card("claude-opus-4-5-20251101", "Claude Opus 4.5", "2025-11-01"),
  card("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-01"),
  card("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29"),
  card("claude-opus-4-1-20250805", "Claude Opus 4.1", "2025-08-05"),
  card("claude-opus-4-20250514", "Claude Opus 4", "2025-05-14"),
  card("claude-sonnet-4-20250514", "Claude Sonnet 4", "2025-05-14"),
];
