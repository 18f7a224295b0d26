import type { Account } from "#domain/account.ts";
import { providerFor } from "#providers/registry.ts";
import { accountOf } from "#snapshot/rows.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import type { GroupRow } from "#storage/repositories/groups.ts";
import type { ShownVitals } from "./account-vitals.ts";
import type { AdminOptions } from "./admin-options.ts";

/** Why no new conversation can be given to an account now, in words; empty when one can. */
export async function reasonsNotSchedulable(
  row: AccountRow,
  vitals: ShownVitals,
  { storage, vault, spend }: Pick<AdminOptions, "storage" | "vault" | "spend">,
  nowMs: number,
): Promise<readonly string[]> {
  const account = opened(row, vault);
  const groups: (GroupRow | undefined)[] = [];
  for (const id of row.groupIds) groups.push(await storage.groups.get(id));
  const hasGroup = groups.some((group) => group?.status === "active" && group.platform === row.platform);
  return [
    ...reasonsOfRow(row, nowMs),
    ...(hasGroup ? [] : ["no active group of its platform holds it"]),
    ...(providerFor(row.platform) === undefined ? [`this version cannot reach ${row.platform}`] : []),
    ...(account === undefined ? ["its credentials were sealed with another encryption key"] : []),
    ...reasonsOfVitals(row, vitals),
    ...(account === undefined ? [] : reasonsOfSpend(account, spend, nowMs)),
  ];
}

function reasonsOfRow(row: AccountRow, nowMs: number): readonly string[] {
  const isExpired = row.pausesWhenExpired && row.expiresAtMs !== null && row.expiresAtMs <= nowMs;
  return [
    ...(row.status === "disabled" ? ["an operator has disabled it"] : []),
    ...(row.status === "error" ? [row.statusReason ?? "the upstream has refused it"] : []),
    ...(row.schedulable ? [] : ["schedulable is false"]),
    ...(isExpired ? ["it has expired"] : []),
  ];
}

function reasonsOfVitals({ baseRpm, maxSessions }: AccountRow, vitals: ShownVitals): readonly string[] {
  const { cooling_until, cooling_reason } = vitals;
  const because = cooling_reason === null ? "" : ` because of ${cooling_reason}`;
  const isRpmReached = baseRpm !== null && vitals.requests_in_minute >= baseRpm;
  const areSessionsReached = maxSessions !== null && vitals.active_sessions >= maxSessions;
  return [
    ...(cooling_until === null ? [] : [`it is cooling until ${cooling_until}${because}`]),
    ...(vitals.circuit === "open" ? ["its circuit is open after failures"] : []),
    ...(isRpmReached ? [`its limit of ${baseRpm} requests per minute is reached`] : []),
    ...(areSessionsReached ? [`its limit of ${maxSessions} conversations is reached`] : []),
  ];
}

function reasonsOfSpend(account: Account, spend: AdminOptions["spend"], nowMs: number): readonly string[] {
  return [
    ...(spend.isQuotaReached(account, nowMs) ? ["its quota is used up"] : []),
    ...(spend.windowState(account, nowMs) === "open" ? [] : ["the limit of its cost window is reached"]),
  ];
}

function opened(row: AccountRow, vault: AdminOptions["vault"]): Account | undefined {
  try {
    return accountOf(row, vault);
  } catch {
    return undefined;
  }
}
