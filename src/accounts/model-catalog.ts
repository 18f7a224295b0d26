import type { Account } from "#domain/account.ts";
import type { Group } from "#domain/group.ts";
import type { ExtraModel } from "#domain/settings.ts";
import type { ModelCard } from "#providers/provider.ts";
import { providerFor } from "#providers/registry.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";

/** Shown as the creation date of models that only a mapping knows. */
const UNKNOWN_DATE = "2024-01-01T00:00:00Z";

/**
 * The models a group's accounts can serve, newest first: the exact names of their mappings, and as soon as one
 * account has no mapping the platform's catalogue with the models that the settings add to it. Wildcards are no
 * names and are not listed; accounts that are out of use serve nothing.
 */
export function listModels(
  snapshot: Pick<Snapshot, "accountsOf" | "settings">,
  group: Group,
): readonly ModelCard[] {
  const catalogue = catalogueOf(group, snapshot.settings.extra_models);
  const byId = new Map<string, ModelCard>();
  for (const account of snapshot.accountsOf(group.id)) {
    if (!isInUse(account, group)) continue;
    const cards =
      account.modelMapping === undefined ? catalogue : mappedCards(account.modelMapping, catalogue);
    for (const card of cards) byId.set(card.id, card);
  }
  return [...byId.values()].sort(
    (a, b) => b.createdAt.localeCompare(a.createdAt) || a.id.localeCompare(b.id),
  );
}

function isInUse({ status, schedulable, platform }: Account, group: Group): boolean {
  return status === "active" && schedulable && platform === group.platform;
}

function catalogueOf({ platform }: Group, extra: readonly ExtraModel[]): readonly ModelCard[] {
  const known = providerFor(platform)?.models ?? [];
  const added = extra.filter((model) => model.platform === platform);
  return [...known, ...added.map(({ id, displayName, createdAt }) => ({ id, displayName, createdAt }))];
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
