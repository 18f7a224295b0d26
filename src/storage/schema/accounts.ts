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
import type { AccountId, GroupId } from "#domain/ids.ts";
import type { Platform } from "#domain/platform.ts";
import { instant, timestamps } from "./columns.ts";
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
  baseRpm: integer(),
  userMessageQueue: text().$type<"off" | "serialize" | "throttle">().notNull().default("off"),
  expiresAtMs: instant("expires_at"),
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
