import type { Account } from "#domain/account.ts";
import type { CoolingReason } from "#domain/account-event.ts";
import type { ApiKey } from "#domain/api-key.ts";
import type { ErrorRule } from "#domain/error-rule.ts";
import type { Group } from "#domain/group.ts";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { DEFAULT_SETTINGS, type RuntimeSettings } from "#domain/settings.ts";
import type { User } from "#domain/user.ts";
import type { Log } from "#kernel/log.ts";
import type { Vault } from "#kernel/vault.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import { runtimeSettings } from "#storage/repositories/settings.ts";
import type { SnapshotKey, SnapshotRepository } from "#storage/repositories/snapshot.ts";
import { accountOf, apiKeyOf, errorRuleOf, groupOf, userOf } from "./rows.ts";

/** Where a snapshot's rows come from. */
export interface SnapshotParts {
  readonly rows: Pick<SnapshotRepository, "loadAll" | "loadOne">;
  readonly vault: Vault;
  readonly log: Log;
}

/** Until when an account is to be left alone, as it was last noted. */
export interface StoredRest {
  readonly id: AccountId;
  /** Milliseconds since the Unix epoch. */
  readonly untilMs: number;
  readonly reason: CoolingReason;
}

/**
 * Keys, users, groups and accounts as this thread knows them, in memory, so that a request needs no
 * database. Changed only by `load`, `apply` and `setBalance`; rows are replaced, never edited.
 */
export class Snapshot {
  readonly #parts: SnapshotParts;
  readonly #users = new Map<number, User>();
  readonly #groups = new Map<number, Group>();
  readonly #accounts = new Map<number, Account>();
  readonly #accountsByGroup = new Map<number, readonly Account[]>();
  readonly #keysByHash = new Map<string, ApiKey>();
  readonly #hashByKeyId = new Map<number, string>();
  readonly #errorRules = new Map<number, ErrorRule>();
  #sortedRules: readonly ErrorRule[] = [];
  #settings: RuntimeSettings = DEFAULT_SETTINGS;
  #accountsVersion = 0;

  constructor(parts: SnapshotParts) {
    this.#parts = parts;
  }

  /** Reads everything. Gives the rests that accounts were noted to have, over or not. */
  async load(): Promise<readonly StoredRest[]> {
    const rows = await this.#parts.rows.loadAll();
    for (const row of rows.users) this.#users.set(row.id, userOf(row));
    for (const row of rows.groups) this.#groups.set(row.id, groupOf(row));
    for (const row of rows.accounts) put(this.#accounts, row.id, this.#opened(row));
    for (const row of rows.apiKeys) this.#putKey(row.id, apiKeyOf(row));
    this.#indexAccounts();
    for (const row of rows.errorRules) put(this.#errorRules, row.id, errorRuleOf(row));
    this.#sortRules();
    this.#settings = runtimeSettings(rows.settings);
    return rows.accounts.flatMap(({ id, coolingUntilMs, coolingReason }) =>
      coolingUntilMs === null || coolingReason === null
        ? []
        : [{ id, untilMs: coolingUntilMs, reason: coolingReason }],
    );
  }

  /** Reads one row again, after it was changed or deleted anywhere. */
  async apply(key: SnapshotKey): Promise<void> {
    const entry = await this.#parts.rows.loadOne(key);
    switch (entry.kind) {
      case "user":
        return put(this.#users, entry.id, entry.row && userOf(entry.row));
      case "group":
        return put(this.#groups, entry.id, entry.row && groupOf(entry.row));
      case "api-key":
        return this.#putKey(entry.id, entry.row && apiKeyOf(entry.row));
      case "account":
        put(this.#accounts, entry.id, entry.row && this.#opened(entry.row));
        return this.#indexAccounts();
      case "error-rule":
        put(this.#errorRules, entry.id, entry.row && errorRuleOf(entry.row));
        return this.#sortRules();
      case "settings":
        this.#settings = runtimeSettings(entry.rows);
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

  /** Changes whenever an account does, so that what was derived from them can be kept until then. */
  get accountsVersion(): number {
    return this.#accountsVersion;
  }

  /** In the order in which they are tried. */
  get errorRules(): readonly ErrorRule[] {
    return this.#sortedRules;
  }

  get settings(): RuntimeSettings {
    return this.#settings;
  }

  apiKey(id: ApiKeyId): ApiKey | undefined {
    const hash = this.#hashByKeyId.get(id);
    return hash === undefined ? undefined : this.#keysByHash.get(hash);
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

  #sortRules(): void {
    this.#sortedRules = [...this.#errorRules.values()].sort((a, b) => a.priority - b.priority || a.id - b.id);
  }

  #indexAccounts(): void {
    this.#accountsVersion++;
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
