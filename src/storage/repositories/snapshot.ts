import { eq, ne } from "drizzle-orm";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { accounts } from "#storage/schema/accounts.ts";
import { apiKeys } from "#storage/schema/api-keys.ts";
import { errorRules } from "#storage/schema/error-rules.ts";
import { groups } from "#storage/schema/groups.ts";
import { settings } from "#storage/schema/settings.ts";
import { subscriptions } from "#storage/schema/subscriptions.ts";
import { userGroupRates } from "#storage/schema/user-group-rates.ts";
import { users } from "#storage/schema/users.ts";
import { ACCOUNT_WITH_GROUPS, type AccountRow } from "./accounts.ts";
import type { ApiKeyRow } from "./api-keys.ts";
import type { ErrorRuleRow } from "./error-rules.ts";
import type { GroupRow } from "./groups.ts";
import type { SettingRow } from "./settings.ts";
import type { SubscriptionRow } from "./subscriptions.ts";
import type { UserGroupRateRow, UserRow } from "./users.ts";

/** Everything the request path reads from memory, as of one moment. */
export interface SnapshotRows {
  readonly users: readonly UserRow[];
  readonly groupRates: readonly UserGroupRateRow[];
  readonly groups: readonly GroupRow[];
  readonly accounts: readonly AccountRow[];
  readonly apiKeys: readonly ApiKeyRow[];
  /** Without those that are cancelled. */
  readonly subscriptions: readonly SubscriptionRow[];
  /** Those that are switched off too. */
  readonly errorRules: readonly ErrorRuleRow[];
  /** Those that are stored; the others have their defaults. */
  readonly settings: readonly SettingRow[];
}

/** Names one row of the snapshot, or all settings, which are read as one. */
export type SnapshotKey =
  | { readonly kind: "user"; readonly id: UserId }
  | { readonly kind: "group"; readonly id: GroupId }
  | { readonly kind: "account"; readonly id: AccountId }
  | { readonly kind: "api-key"; readonly id: ApiKeyId }
  | { readonly kind: "subscription"; readonly id: SubscriptionId }
  | { readonly kind: "error-rule"; readonly id: number }
  | { readonly kind: "settings"; readonly id: 0 };

/** What a {@link SnapshotKey} names, as it is now; `row` is undefined when it has been deleted. */
export type SnapshotEntry =
  | {
      readonly kind: "user";
      readonly id: UserId;
      readonly row: UserRow | undefined;
      readonly groupRates: readonly UserGroupRateRow[];
    }
  | { readonly kind: "group"; readonly id: GroupId; readonly row: GroupRow | undefined }
  | { readonly kind: "account"; readonly id: AccountId; readonly row: AccountRow | undefined }
  | { readonly kind: "api-key"; readonly id: ApiKeyId; readonly row: ApiKeyRow | undefined }
  | { readonly kind: "subscription"; readonly id: SubscriptionId; readonly row: SubscriptionRow | undefined }
  | { readonly kind: "error-rule"; readonly id: number; readonly row: ErrorRuleRow | undefined }
  | { readonly kind: "settings"; readonly id: 0; readonly rows: readonly SettingRow[] };

/** Reads what a thread keeps in memory. */
export class SnapshotRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Everything there is, all as of the same moment. */
  loadAll(): Promise<SnapshotRows> {
    return this.#db.transaction(
      async (transaction) => ({
        users: await transaction.select().from(users),
        groupRates: await transaction.select().from(userGroupRates),
        groups: await transaction.select().from(groups),
        accounts: await transaction.select(ACCOUNT_WITH_GROUPS).from(accounts),
        apiKeys: await transaction.select().from(apiKeys),
        subscriptions: await transaction
          .select()
          .from(subscriptions)
          .where(ne(subscriptions.status, "cancelled")),
        errorRules: await transaction.select().from(errorRules),
        settings: await transaction.select().from(settings),
      }),
      { isolationLevel: "repeatable read", accessMode: "read only" },
    );
  }

  /** What was changed, after something announced it. */
  async loadOne(key: SnapshotKey): Promise<SnapshotEntry> {
    switch (key.kind) {
      case "user":
        return {
          ...key,
          row: (await this.#db.select().from(users).where(eq(users.id, key.id)))[0],
          groupRates: await this.#db.select().from(userGroupRates).where(eq(userGroupRates.userId, key.id)),
        };
      case "group":
        return { ...key, row: (await this.#db.select().from(groups).where(eq(groups.id, key.id)))[0] };
      case "account": {
        const where = eq(accounts.id, key.id);
        return { ...key, row: (await this.#db.select(ACCOUNT_WITH_GROUPS).from(accounts).where(where))[0] };
      }
      case "api-key":
        return { ...key, row: (await this.#db.select().from(apiKeys).where(eq(apiKeys.id, key.id)))[0] };
      case "subscription": {
        const where = eq(subscriptions.id, key.id);
        return { ...key, row: (await this.#db.select().from(subscriptions).where(where))[0] };
      }
      case "error-rule": {
        const where = eq(errorRules.id, key.id);
        return { ...key, row: (await this.#db.select().from(errorRules).where(where))[0] };
      }
      case "settings":
        return { ...key, rows: await this.#db.select().from(settings) };
    }
  }
}
