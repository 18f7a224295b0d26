import type { Account } from "#domain/account.ts";
import type { ApiKey } from "#domain/api-key.ts";
import type { Group } from "#domain/group.ts";
import type { User } from "#domain/user.ts";
import { Secret } from "#kernel/secret.ts";
import type { Vault } from "#kernel/vault.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import type { ApiKeyRow } from "#storage/repositories/api-keys.ts";
import type { GroupRow } from "#storage/repositories/groups.ts";
import type { UserRow } from "#storage/repositories/users.ts";

/** Where an account's credentials are sealed for. */
export function placeOfAccount(id: number): string {
  return `accounts:${id}`;
}

/** A stored user as requests see it. */
export function userOf({ id, status, balanceNanos, concurrency }: UserRow): User {
  return { id, status, balanceNanos, concurrency };
}

/** A stored group as requests see it. */
export function groupOf({ id, name, platform, status, rateMultiplierNanos }: GroupRow): Group {
  return { id, name, platform, status, rateMultiplierNanos };
}

/** A stored API key as requests see it. */
export function apiKeyOf(row: ApiKeyRow): ApiKey {
  const { id, userId, groupId, keyHash, status, expiresAtMs, ipAllow, ipDeny } = row;
  return {
    id,
    userId,
    groupId,
    hash: keyHash,
    status,
    expiresAtMs: expiresAtMs ?? undefined,
    ipAllow,
    ipDeny,
  };
}

/**
 * A stored account as requests see it, its credential opened.
 *
 * @throws Error when the credential was sealed with another key.
 */
export function accountOf(row: AccountRow, vault: Vault): Account {
  return {
    id: row.id,
    name: row.name,
    platform: row.platform,
    type: row.type,
    status: row.status,
    schedulable: row.schedulable,
    baseUrl: row.baseUrl ?? undefined,
    groupIds: row.groupIds,
    concurrency: row.concurrency,
    priority: row.priority,
    modelMapping: row.modelMapping ?? undefined,
    expiresAtMs: row.expiresAtMs ?? undefined,
    credential: new Secret(readApiKey(vault.open(row.credentialsSealed, placeOfAccount(row.id)))),
  };
}

function readApiKey(credentials: string): string {
  const { api_key: apiKey } = JSON.parse(credentials) as { api_key?: unknown };
  return typeof apiKey === "string" ? apiKey : "";
}
