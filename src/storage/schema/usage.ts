import { sql } from "drizzle-orm";
import { bigint, bigserial, boolean, index, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { UsageStatus } from "#domain/usage-record.ts";
import { instant, nanos } from "./columns.ts";

const tokens = () => bigint({ mode: "number" }).notNull();

/**
 * One row per client request. No foreign keys: the record outlives what it names.
 *
 * Partitioned by the month of `created_at` in UTC, which the builder cannot say and the migrations do: see
 * `make_usage_month` there. That no request has two rows is what `usage_requests` is for.
 */
export const usage = pgTable(
  "usage",
  {
    id: bigserial({ mode: "number" }).notNull(),
    requestId: text().notNull(),
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
    /** What it would have cost at a multiplier of 1; null: as the cost. */
    listCostNanos: nanos(),
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
    primaryKey({ columns: [table.requestId, table.createdAtMs] }),
    index("usage_created_at_index").on(table.createdAtMs),
    index("usage_user_id_created_at_index").on(table.userId, table.createdAtMs),
    index("usage_api_key_id_created_at_index").on(table.apiKeyId, table.createdAtMs),
    index("usage_group_id_created_at_index").on(table.groupId, table.createdAtMs),
    index("usage_account_id_created_at_index").on(table.accountId, table.createdAtMs),
    index("usage_model_created_at_index").on(table.model, table.createdAtMs),
    index("usage_subscription_id_created_at_index")
      .on(table.subscriptionId, table.createdAtMs)
      .where(sql`${table.subscriptionId} is not null`),
    index("usage_status_created_at_index")
      .on(table.status, table.createdAtMs)
      .where(sql`${table.status} <> 'completed'`),
    index("usage_upstream_request_id_index")
      .on(table.upstreamRequestId)
      .where(sql`${table.upstreamRequestId} is not null`),
  ],
);
