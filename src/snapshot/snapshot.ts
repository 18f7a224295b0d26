import type { Account } from "#domain/account.ts";
import type { CoolingReason } from "#domain/account-event.ts";
import type { ApiKey } from "#domain/api-key.ts";
import type { Booked } from "#domain/booked.ts";
import type { ErrorRule } from "#domain/error-rule.ts";
import type { Group } from "#domain/group.ts";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import { DEFAULT_SETTINGS, type RuntimeSettings } from "#domain/settings.ts";
import type { KeySpan, SpendWindow, SubscriptionSpan } from "#domain/spend-window.ts";
import type { Subscription } from "#domain/subscription.ts";
import type { User } from "#domain/user.ts";
import type { Log } from "#kernel/log.ts";
import type { Vault } from "#kernel/vault.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import type { ApiKeyRow } from "#storage/repositories/api-keys.ts";
import { runtimeSettings } from "#storage/repositories/settings.ts";
import type { SnapshotKey, SnapshotRepository } from "#storage/repositories/snapshot.ts";
import type { SubscriptionRow } from "#storage/repositories/subscriptions.ts";
import type { UserGroupRateRow, UserRow } from "#storage/repositories/users.ts";
import {
  accountOf,
  apiKeyOf,
  errorRuleOf,
  groupOf,
  keySpendingOf,
  subscriptionOf,
  subscriptionSpendingOf,
  userOf,
} from "./rows.ts";
import { SpendBook } from "./spend-book.ts";
import { SubscriptionBook } from "./subscription-book.ts";

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
 * Keys, users, groups, subscriptions and accounts as this thread knows them, in memory, so that a request needs
 * no database. Changed only by `load`, `apply` and `applyBooked`; rows are replaced, never edited.
 */
export class Snapshot {
  readonly #parts: SnapshotParts;
  readonly #users = new Map<number, User>();
  readonly #groups = new Map<number, Group>();
  readonly #accounts = new Map<number, Account>();
  readonly #accountsByGroup = new Map<number, readonly Account[]>();
  readonly #keysByHash = new Map<string, ApiKey>();
  readonly #hashByKeyId = new Map<number, string>();
  readonly #groupRates = new Map<number, ReadonlyMap<number, bigint>>();
  readonly #subscriptions = new SubscriptionBook();
  readonly #spendings = new SpendBook();
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
    const rates = Map.groupBy(rows.groupRates, ({ userId }) => userId);
    for (const row of rows.users) this.#putUser(row.id, row, rates.get(row.id) ?? []);
    for (const row of rows.groups) this.#groups.set(row.id, groupOf(row));
    for (const row of rows.accounts) put(this.#accounts, row.id, this.#opened(row));
    for (const row of rows.apiKeys) this.#putKey(row.id, row);
    for (const row of rows.subscriptions) this.#putSubscription(row.id, row);
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
        return this.#putUser(entry.id, entry.row, entry.groupRates);
      case "group":
        return put(this.#groups, entry.id, entry.row && groupOf(entry.row));
      case "api-key":
        return this.#putKey(entry.id, entry.row);
      case "subscription":
        return this.#putSubscription(entry.id, entry.row);
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

  /** Takes over what the ledger has booked. Old news, or the same twice, changes nothing. */
  applyBooked({ balances, quotas, windows }: Pick<Booked, "balances" | "quotas" | "windows">): void {
    for (const { userId, balanceNanos, revision } of balances) {
      const user = this.#users.get(userId);
      if (user !== undefined) this.#users.set(userId, newerOf(user, { ...user, balanceNanos, revision }));
    }
    this.#spendings.apply(quotas, windows);
  }

  user(id: UserId): User | undefined {
    return this.#users.get(id);
  }

  group(id: GroupId): Group | undefined {
    return this.#groups.get(id);
  }

  /** What costs are multiplied with for a user in a group, in parts per billion: the user's own, or the group's. */
  rateMultiplierNanos(id: UserId, group: Group): bigint {
    return this.#groupRates.get(id)?.get(group.id) ?? group.rateMultiplierNanos;
  }

  /** A user's subscription in a group, unless it is cancelled. */
  subscription(id: UserId, group: GroupId): Subscription | undefined {
    return this.#subscriptions.of(id, group);
  }

  /** A subscription by its id, unless it is cancelled. */
  subscriptionById(id: SubscriptionId): Subscription | undefined {
    return this.#subscriptions.get(id);
  }

  /** As of which revision a key's quota and windows are known. */
  keyRevision(id: ApiKeyId): number {
    return this.#spendings.keyRevision(id);
  }

  /** As of which revision a subscription's windows are known. */
  subscriptionRevision(id: SubscriptionId): number {
    return this.#spendings.subscriptionRevision(id);
  }

  /** What a key has cost in all, in nano-dollars. */
  quotaUsedNanos(id: ApiKeyId): bigint {
    return this.#spendings.quotaUsedNanos(id);
  }

  /** A key's latest window of a span, ended or not; undefined before its first cost. */
  keyWindow(id: ApiKeyId, span: KeySpan): SpendWindow | undefined {
    return this.#spendings.keyWindow(id, span);
  }

  /** A subscription's latest window of a span, ended or not; undefined before its first cost. */
  subscriptionWindow(id: SubscriptionId, span: SubscriptionSpan): SpendWindow | undefined {
    return this.#spendings.subscriptionWindow(id, span);
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

  #putUser(id: UserId, row: UserRow | undefined, rates: readonly UserGroupRateRow[]): void {
    const [user, known] = [row && userOf(row), this.#users.get(id)];
    put(this.#users, id, user && known ? newerOf(known, user) : user);
    const byGroup = new Map(rates.map(({ groupId, rateMultiplierNanos }) => [groupId, rateMultiplierNanos]));
    put(this.#groupRates, id, byGroup.size === 0 ? undefined : byGroup);
    if (row !== undefined) return;
    for (const gone of this.#subscriptions.removeUser(id)) this.#spendings.putSubscription(gone, undefined);
  }

  #putSubscription(id: SubscriptionId, row: SubscriptionRow | undefined): void {
    const subscription = row && subscriptionOf(row);
    this.#subscriptions.put(id, subscription);
    this.#spendings.putSubscription(id, row && subscription && subscriptionSpendingOf(row));
  }

  #putKey(id: ApiKeyId, row: ApiKeyRow | undefined): void {
    const key = row && apiKeyOf(row);
    this.#spendings.putKey(id, row && keySpendingOf(row));
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

/** A user as just read or heard of, with the balance that is the newer one: an older reading may come later. */
function newerOf(known: User, read: User): User {
  if (known.revision <= read.revision) return read;
  return { ...read, balanceNanos: known.balanceNanos, revision: known.revision };
}

function put<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
