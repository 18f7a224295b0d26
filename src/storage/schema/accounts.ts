import { sql } from "drizzle-orm";
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
} from "drizzle-orm/pg-core";
import type { AccountStatus, AccountType } from "#domain/account.ts";
import type { CoolingReason } from "#domain/account-event.ts";
import type { QueueMode, QuotaReset, RpmStrategy, UnschedulableRule } from "#domain/account-limits.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import type { Platform } from "#domain/platform.ts";
import { instant, nanos, timestamps } from "./columns.ts";
import { groups } from "./groups.ts";

export const accounts = pgTable("accounts", {
  id: bigserial({ mode: "number" }).$type<AccountId>().primaryKey(),
  name: text().notNull(),
  platform: text().$type<Platform>().notNull(),
  type: text().$type<AccountType>().notNull(),
  status: text().$type<AccountStatus>().notNull().default("active"),
  statusReason: text(),
  schedulable: boolean().notNull().default(true),
  /** An encrypted envelope bound to this row's id. Never the credential itself. */
  credentialsSealed: text().notNull(),
  baseUrl: text(),
  /** Requests at once; 0 means unlimited. */
  concurrency: integer().notNull().default(3),
  /** Lower is used first. */
  priority: integer().notNull().default(50),
  proxyId: bigint({ mode: "number" }),
  modelMapping: jsonb().$type<Readonly<Record<string, string>>>(),
  interceptWarmup: boolean().notNull().default(false),
  /** Null: as the concurrency. */
  loadFactor: integer(),
  baseRpm: integer(),
  rpmStrategy: text().$type<RpmStrategy>().notNull().default("tiered"),
  /** Null: what concurrency and sessions suggest. */
  rpmStickyBuffer: integer(),
  maxSessions: integer(),
  sessionIdleMinutes: integer().notNull().default(5),
  quotaNanos: nanos(),
  quotaDailyNanos: nanos(),
  quotaWeeklyNanos: nanos(),
  quotaReset: text().$type<QuotaReset>().notNull().default("rolling"),
  quotaResetHour: integer().notNull().default(0),
  quotaResetWeekday: integer().notNull().default(1),
  quotaResetTimezone: text().notNull().default("UTC"),
  /** What costs are multiplied with to be the operator's own: 1_000_000_000 is 1.0. */
  costMultiplierNanos: nanos().notNull().default(sql`1000000000`),
  windowCostLimitNanos: nanos(),
  windowCostStickyReserveNanos: nanos().notNull().default(sql`10000000000`),
  /** Null: as the setting says. */
  userMessageQueue: text().$type<QueueMode>(),
  unschedulableRules: jsonb().$type<readonly UnschedulableRule[]>().notNull().default([]),
  /** Null: every status is handled in the usual way. */
  handledStatuses: integer().array(),
  isPool: boolean().notNull().default(false),
  expiresAtMs: instant("expires_at"),
  /** Whether it stays out of use from then on. */
  pausesWhenExpired: boolean().notNull().default(true),
  /** Until when it is left alone, as of the last change of its state. */
  coolingUntilMs: instant("cooling_until"),
  coolingReason: text().$type<CoolingReason>(),
  ...timestamps(),
});

export const accountGroups = pgTable(
  "account_groups",
  {
    accountId: bigint({ mode: "number" })
      .$type<AccountId>()
      .notNull()
      .references(() => accounts.id, { onDelete: "cascade" }),
    groupId: bigint({ mode: "number" })
      .$type<GroupId>()
      .notNull()
      .references(() => groups.id),
  },
  (table) => [
    primaryKey({ columns: [table.accountId, table.groupId] }),
    index("account_groups_group_id_index").on(table.groupId),
  ],
);
