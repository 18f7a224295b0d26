import { Refusal } from "./refusal.ts";

interface Model {
  readonly type: "model";
  readonly id: string;
  readonly display_name: string;
  readonly created_at: string;
}

/** Newest first, as Anthropic lists them. */
const MODELS: readonly Model[] = [
  model("claude-sonnet-4-6", "Claude Sonnet 4.6", "2026-02-17"),
  model("claude-opus-4-6", "Claude Opus 4.6", "2026-02-04"),
  model("claude-opus-4-5-20251101", "Claude Opus 4.5", "2025-11-24"),
  model("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "2025-10-15"),
  model("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "2025-09-29"),
];

/** Page size when none is asked for, and the largest one (platform.claude.com/docs/en/api/models-list). */
const PAGE_SIZE = 20;
const PAGE_SIZE_MAX = 1000;

/**
 * One page of models, for the query of a list request.
 *
 * @throws Refusal 400 when the query makes no sense.
 */
export function modelPage(query: string): object {
  const parameters = new URLSearchParams(query);
  const limit = Number(parameters.get("limit") ?? PAGE_SIZE);
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_SIZE_MAX) {
    throw new Refusal(400, `limit: Input should be from 1 to ${PAGE_SIZE_MAX}`);
  }
  const after = placeOf(parameters.get("after_id"));
  const before = placeOf(parameters.get("before_id"));
  const start = before === undefined ? (after ?? -1) + 1 : Math.max(0, before - limit);
  const data = MODELS.slice(start, before === undefined ? start + limit : before);
  return {
    data,
    has_more: before === undefined ? start + data.length < MODELS.length : start > 0,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}

/**
 * One model.
 *
 * @throws Refusal 404 when there is none of that id.
 */
export function modelOf(id: string): object {
  const found = MODELS.find((known) => known.id === id);
  if (found === undefined) throw new Refusal(404, `model: ${id}`);
  return found;
}

function placeOf(id: string | null): number | undefined {
  if (id === null) return undefined;
  const place = MODELS.findIndex((known) => known.id === id);
  if (place === -1) throw new Refusal(400, `model: ${id}`);
  return place;
}

function model(id: string, displayName: string, createdOn: string): Model {
  return { type: "model", id, display_name: displayName, created_at: `${createdOn}T00:00:00Z` };
}
