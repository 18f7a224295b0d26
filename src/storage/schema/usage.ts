import { bigint, bigserial, boolean, index, integer, pgTable, text } from "drizzle-orm/pg-core";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { UsageStatus } from "#domain/usage-record.ts";
import { instant, nanos } from "./columns.ts";

const tokens = () => bigint({ mode: "number" }).notNull();

/** One row per client request. No foreign keys: the record outlives what it names. */
export const usage = pgTable(
  "usage",
  {
    id: bigserial({ mode: "number" }).primaryKey(),
    requestId: text().notNull().unique("usage_request_id_unique"),
    userId: bigint({ mode: "number" }).$type<UserId>().notNull(),
    apiKeyId: bigint({ mode: "number" }).$type<ApiKeyId>().notNull(),
    groupId: bigint({ mode: "number" }).$type<GroupId>().notNull(),
    accountId: bigint({ mode: "number" }).$type<AccountId>(),
    model: text().notNull(),
    upstreamModel: text().notNull(),
    upstreamRequestId: text(),
    inputTokens: tokens(),
    outputTokens: tokens(),
    cacheCreationTokens: tokens(),
    cacheCreation5mTokens: bigint("cache_creation_5m_tokens", { mode: "number" }).notNull(),
    cacheCreation1hTokens: bigint("cache_creation_1h_tokens", { mode: "number" }).notNull(),
    cacheReadTokens: tokens(),
    costNanos: nanos(),
    /** Null: as the cost. */
    accountCostNanos: nanos(),
    /** What was charged; null: the user's balance. */
    subscriptionId: bigint({ mode: "number" }).$type<SubscriptionId>(),
    status: text().$type<UsageStatus>().notNull(),
    httpStatus: integer().notNull(),
    stream: boolean().notNull(),
    usageComplete: boolean().notNull(),
    durationMs: integer().notNull(),
    firstTokenMs: integer(),
    attempts: integer().notNull(),
    createdAtMs: instant("created_at").notNull(),
  },
  (table) => [
    index("usage_user_id_id_index").on(table.userId, table.id),
    index("usage_api_key_id_id_index").on(table.apiKeyId, table.id),
    index("usage_group_id_id_index").on(table.groupId, table.id),
    index("usage_account_id_id_index").on(table.accountId, table.id),
    index("usage_upstream_request_id_index").on(table.upstreamRequestId),
    index("usage_created_at_index").on(table.createdAtMs),
  ],
);
