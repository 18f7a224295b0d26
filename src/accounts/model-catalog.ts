import type { Group } from "#domain/group.ts";
import type { ModelCard } from "#providers/provider.ts";
import { providerFor } from "#providers/registry.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";

/** Shown as the creation date of models that only a mapping knows. */
const UNKNOWN_DATE = "2024-01-01T00:00:00Z";

/**
 * The models a group's accounts can serve, newest first: the exact names of their mappings, and the
 * platform's catalogue as soon as one account has no mapping. Wildcards are no names and are not listed.
 */
export function listModels(snapshot: Snapshot, group: Group): readonly ModelCard[] {
  const catalogue = providerFor(group.platform)?.models ?? [];
  const byId = new Map<string, ModelCard>();
  for (const { modelMapping } of snapshot.accountsOf(group.id)) {
    const cards = modelMapping === undefined ? catalogue : mappedCards(modelMapping, catalogue);
    for (const card of cards) byId.set(card.id, card);
  }
  return [...byId.values()].sort(
    (a, b) => b.createdAt.localeCompare(a.createdAt) || a.id.localeCompare(b.id),
  );
}

function mappedCards(
  mapping: Readonly<Record<string, string>>,
  catalogue: readonly ModelCard[],
): readonly ModelCard[] {
  return Object.keys(mapping)
    .filter((id) => !id.includes("*"))
    .map(
      (id) => catalogue.find((card) => card.id === id) ?? { id, displayName: id, createdAt: UNKNOWN_DATE },
    );
}
