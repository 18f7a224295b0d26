import { sql } from "drizzle-orm";
import { bigint, bigserial, index, pgTable, text, uniqueIndex } from "drizzle-orm/pg-core";
import type { GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { SubscriptionStatus } from "#domain/subscription.ts";
import { instant, revision, timestamps, windowStart, windowUsed } from "./columns.ts";
import { groups } from "./groups.ts";
import { users } from "./users.ts";

export const subscriptions = pgTable(
  "subscriptions",
  {
    id: bigserial({ mode: "number" }).$type<SubscriptionId>().primaryKey(),
    userId: bigint({ mode: "number" })
      .$type<UserId>()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    groupId: bigint({ mode: "number" })
      .$type<GroupId>()
      .notNull()
      .references(() => groups.id),
    status: text().$type<SubscriptionStatus>().notNull().default("active"),
    startsAtMs: instant("starts_at").notNull().default(sql`now()`),
    expiresAtMs: instant("expires_at").notNull(),
    window1dStartedAtMs: windowStart("1d"),
    window1dUsedNanos: windowUsed("1d"),
    window7dStartedAtMs: windowStart("7d"),
    window7dUsedNanos: windowUsed("7d"),
    window30dStartedAtMs: windowStart("30d"),
    window30dUsedNanos: windowUsed("30d"),
    revision: revision(),
    ...timestamps(),
  },
  (table) => [
    uniqueIndex("subscriptions_live_unique")
      .on(table.userId, table.groupId)
      .where(sql`${table.status} <> 'cancelled'`),
    index("subscriptions_user_id_id_index").on(table.userId, table.id),
    index("subscriptions_group_id_id_index").on(table.groupId, table.id),
  ],
);
