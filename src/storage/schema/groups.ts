import { sql } from "drizzle-orm";
import { type AnyPgColumn, bigint, bigserial, boolean, jsonb, pgTable, text } from "drizzle-orm/pg-core";
import type { SubscriptionType } from "#domain/group.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import type { Platform } from "#domain/platform.ts";
import { nanos, timestamps } from "./columns.ts";

const groupReference = () =>
  bigint({ mode: "number" })
    .$type<GroupId>()
    .references((): AnyPgColumn => groups.id);

export const groups = pgTable("groups", {
  id: bigserial({ mode: "number" }).$type<GroupId>().primaryKey(),
  name: text().notNull().unique(),
  platform: text().$type<Platform>().notNull(),
  status: text().$type<"active" | "disabled">().notNull().default("active"),
  /** Parts per billion: 1_000_000_000 is 1.0. */
  rateMultiplierNanos: nanos().notNull().default(sql`1000000000`),
  subscriptionType: text().$type<SubscriptionType>().notNull().default("standard"),
  dailyLimitNanos: nanos(),
  weeklyLimitNanos: nanos(),
  monthlyLimitNanos: nanos(),
  claudeCodeOnly: boolean().notNull().default(false),
  fallbackGroupId: groupReference(),
  fallbackGroupIdOnInvalidRequest: groupReference(),
  /** Model, or a pattern ending in `*`, to the accounts that may serve it. */
  modelRouting: jsonb().$type<Readonly<Record<string, readonly AccountId[]>>>(),
  ...timestamps(),
});
