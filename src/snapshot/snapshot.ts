import type { Account } from "#domain/account.ts";
import type { ApiKey } from "#domain/api-key.ts";
import type { Group } from "#domain/group.ts";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import type { User } from "#domain/user.ts";
import type { Log } from "#kernel/log.ts";
import type { Vault } from "#kernel/vault.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import type { SnapshotKey, SnapshotRepository } from "#storage/repositories/snapshot.ts";
import { accountOf, apiKeyOf, groupOf, userOf } from "./rows.ts";

/** Where a snapshot's rows come from. */
export interface SnapshotParts {
  readonly rows: Pick<SnapshotRepository, "loadAll" | "loadOne">;
  readonly vault: Vault;
  readonly log: Log;
}

/**
 * Keys, users, groups and accounts as this thread knows them, in memory, so that a request needs no
 * database. Changed only by `load` and `apply`; rows are replaced, never
 * edited, except a user's balance.
 */
export class Snapshot {
  readonly #parts: SnapshotParts;
  readonly #users = new Map<number, User>();
  readonly #groups = new Map<number, Group>();
  readonly #accounts = new Map<number, Account>();
  readonly #accountsByGroup = new Map<number, readonly Account[]>();
  readonly #keysByHash = new Map<string, ApiKey>();
  readonly #hashByKeyId = new Map<number, string>();

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
  }

  /** Reads everything. */
  async load(): Promise<void> {
    const rows = await this.#parts.rows.loadAll();
    for (const row of rows.users) this.#users.set(row.id, userOf(row));
    for (const row of rows.groups) this.#groups.set(row.id, groupOf(row));
    for (const row of rows.accounts) put(this.#accounts, row.id, this.#opened(row));
    for (const row of rows.apiKeys) this.#putKey(row.id, apiKeyOf(row));
    this.#indexAccounts();
  }

  /** Reads one row again, after it was changed or deleted anywhere. */
  async apply(key: SnapshotKey): Promise<void> {
    const entry = await this.#parts.rows.loadOne(key);
    if (entry.kind === "user") put(this.#users, entry.id, entry.row && userOf(entry.row));
    else if (entry.kind === "group") put(this.#groups, entry.id, entry.row && groupOf(entry.row));
    else if (entry.kind === "api-key") this.#putKey(entry.id, entry.row && apiKeyOf(entry.row));
    else {
      put(this.#accounts, entry.id, entry.row && this.#opened(entry.row));
      this.#indexAccounts();
    }
  }

  /** Takes over a balance that the ledger has booked, in nano-dollars. */
  setBalance(id: UserId, balanceNanos: bigint): void {
    const user = this.#users.get(id);
    if (user !== undefined) this.#users.set(id, { ...user, balanceNanos });
  }

  user(id: UserId): User | undefined {
    return this.#users.get(id);
  }

  group(id: GroupId): Group | undefined {
    return this.#groups.get(id);
  }

  account(id: AccountId): Account | undefined {
    return this.#accounts.get(id);
  }

  accountsOf(group: GroupId): readonly Account[] {
    return this.#accountsByGroup.get(group) ?? [];
  }

  apiKeyByHash(hash: string): ApiKey | undefined {
    return this.#keysByHash.get(hash);
  }

  /** Sum of the accounts' concurrency limits; undefined when one of them is unlimited. */
  accountSlots(): number | undefined {
    let slots = 0;
    for (const { concurrency } of this.#accounts.values()) {
      if (concurrency === 0) return undefined;
      slots += concurrency;
    }
    return slots;
  }

  /** An account whose credential cannot be opened serves nobody until it is set again. */
  #opened(row: AccountRow): Account | undefined {
    try {
      return accountOf(row, this.#parts.vault);
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      this.#parts.log.error("snapshot.credential_unreadable", { account_id: row.id, reason });
      return undefined;
    }
  }

  #putKey(id: ApiKeyId | number, key: ApiKey | undefined): void {
    const known = this.#hashByKeyId.get(id);
    if (known !== undefined && known !== key?.hash) this.#keysByHash.delete(known);
    put(this.#hashByKeyId, id, key?.hash);
    if (key !== undefined) this.#keysByHash.set(key.hash, key);
  }

  #indexAccounts(): void {
    this.#accountsByGroup.clear();
    const byGroup = new Map<number, Account[]>();
    for (const account of this.#accounts.values()) {
      for (const group of account.groupIds) {
        const members = byGroup.get(group) ?? [];
        members.push(account);
        byGroup.set(group, members);
      }
    }
    for (const [group, members] of byGroup) {
      this.#accountsByGroup.set(
        group,
        members.sort((a, b) => a.priority - b.priority || a.id - b.id),
      );
    }
  }
}

function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
