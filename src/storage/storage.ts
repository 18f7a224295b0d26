import { openDatabase } from "./database.ts";
import { AccountEventRepository } from "./repositories/account-events.ts";
import { AccountSpendRepository } from "./repositories/account-spend.ts";
import { AccountRepository } from "./repositories/accounts.ts";
import { ApiKeyRepository } from "./repositories/api-keys.ts";
import { BalanceAdjustmentRepository } from "./repositories/balance-adjustments.ts";
import { ChangeRepository } from "./repositories/changes.ts";
import { ErrorRuleRepository } from "./repositories/error-rules.ts";
import { GroupRepository } from "./repositories/groups.ts";
import { KeyStatisticsRepository } from "./repositories/key-statistics.ts";
import { SettingRepository } from "./repositories/settings.ts";
import { SnapshotRepository } from "./repositories/snapshot.ts";
import { SubscriptionRepository } from "./repositories/subscriptions.ts";
import { UsageRepository } from "./repositories/usage.ts";
import { UsageAggregateRepository } from "./repositories/usage-aggregates.ts";
import { UserRepository } from "./repositories/users.ts";

/** Everything that is stored, by what it is. */
export interface Storage {
  readonly users: UserRepository;
  readonly groups: GroupRepository;
  readonly accounts: AccountRepository;
  readonly accountEvents: AccountEventRepository;
  readonly accountSpend: AccountSpendRepository;
  readonly apiKeys: ApiKeyRepository;
  readonly subscriptions: SubscriptionRepository;
  readonly balanceAdjustments: BalanceAdjustmentRepository;
  readonly usage: UsageRepository;
  readonly usageAggregates: UsageAggregateRepository;
  readonly keyStatistics: KeyStatisticsRepository;
  readonly errorRules: ErrorRuleRepository;
  readonly changes: ChangeRepository;
  readonly settings: SettingRepository;
  readonly snapshot: SnapshotRepository;
  /** Whether the database answers a query. Does not throw. */
  isReachable(): Promise<boolean>;
  /** Waits for running statements, 5 s at most, then closes every connection. */
  close(): Promise<void>;
}

/** How one thread may use the database. */
export interface StorageLimits {
  readonly connectionsMax: number;
  /** What its connections are called at the server; `sluice` by default. */
  readonly name?: string;
}

/** Opens the migrated database at `url` for one thread. Connects on first use, so it never fails here. */
export function openStorage(url: string, limits: StorageLimits): Storage {
  const { db, close } = openDatabase(url, limits);
  return {
    users: new UserRepository(db),
    groups: new GroupRepository(db),
    accounts: new AccountRepository(db),
    accountEvents: new AccountEventRepository(db),
    accountSpend: new AccountSpendRepository(db),
    apiKeys: new ApiKeyRepository(db),
    subscriptions: new SubscriptionRepository(db),
    balanceAdjustments: new BalanceAdjustmentRepository(db),
    usage: new UsageRepository(db),
    usageAggregates: new UsageAggregateRepository(db),
    keyStatistics: new KeyStatisticsRepository(db),
    changes: new ChangeRepository(db),
    errorRules: new ErrorRuleRepository(db),
    settings: new SettingRepository(db),
    snapshot: new SnapshotRepository(db),
    isReachable: () =>
      db.execute("select 1").then(
        () => true,
        () => false,
      ),
    close,
  };
}
