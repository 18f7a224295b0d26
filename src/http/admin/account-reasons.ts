import { providerFor } from "#providers/registry.ts";
import { accountOf } from "#snapshot/rows.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import type { GroupRow } from "#storage/repositories/groups.ts";
import type { AdminOptions } from "./admin-options.ts";

/** Why no request can be sent with an account now, in words; empty when one can. */
export async function reasonsNotSchedulable(
  row: AccountRow,
  { storage, vault }: Pick<AdminOptions, "storage" | "vault">,
  nowMs: number,
): Promise<readonly string[]> {
  const groups: (GroupRow | undefined)[] = [];
  for (const id of row.groupIds) groups.push(await storage.groups.get(id));
  const isExpired = row.expiresAtMs !== null && row.expiresAtMs <= nowMs;
  const hasGroup = groups.some((group) => group?.status === "active" && group.platform === row.platform);
  return [
    ...(row.status === "disabled" ? ["an operator has disabled it"] : []),
    ...(row.status === "error" ? [row.statusReason ?? "the upstream has refused it"] : []),
    ...(row.schedulable ? [] : ["schedulable is false"]),
    ...(isExpired ? ["it has expired"] : []),
    ...(hasGroup ? [] : ["no active group of its platform holds it"]),
    ...(providerFor(row.platform) === undefined ? [`this version cannot reach ${row.platform}`] : []),
    ...(canBeOpened(row, vault) ? [] : ["its credentials were sealed with another encryption key"]),
  ];
}

function canBeOpened(row: AccountRow, vault: AdminOptions["vault"]): boolean {
  try {
    accountOf(row, vault);
    return true;
  } catch {
    return false;
  }
}
