import { sql } from "drizzle-orm";
import { bigint, date, index, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import { nanos } from "./columns.ts";

/** What a row adds up by; 0 for requests without one, and where the slice does not tell them apart. */
const dimension = () => bigint({ mode: "number" }).notNull();
const sum = () => bigint({ mode: "number" }).notNull();
const nanosSum = () => nanos().notNull();

/**
 * What requests used and cost, by the UTC day in which they arrived. Every request counts once in each slice, and a
 * slice tells apart what its columns say: see `src/storage/repositories/usage-slices.ts`. Stays when the rows of
 * `usage` are dropped.
 */
export const usageDaily = pgTable(
  "usage_daily",
  {
    slice: text().notNull(),
    day: date({ mode: "string" }).notNull(),
    userId: dimension(),
    apiKeyId: dimension(),
    groupId: dimension(),
    accountId: dimension(),
    /** As the client asked; empty where the slice does not tell them apart. */
    model: text().notNull(),
    requests: sum(),
    errors: sum(),
    inputTokens: sum(),
    outputTokens: sum(),
    cacheCreationTokens: sum(),
    cacheCreation5mTokens: bigint("cache_creation_5m_tokens", { mode: "number" }).notNull(),
    cacheCreation1hTokens: bigint("cache_creation_1h_tokens", { mode: "number" }).notNull(),
    cacheReadTokens: sum(),
    costNanos: nanosSum(),
    listCostNanos: nanosSum(),
    accountCostNanos: nanosSum(),
    durationMs: sum(),
  },
  (table) => {
    const { slice, day, userId, apiKeyId, groupId, accountId, model } = table;
    // The other slices are small enough to be read by their days.
    const large = sql`${slice} in ('key_model', 'key_account', 'full')`;
    return [
      primaryKey({
        name: "usage_daily_pk",
        columns: [slice, day, userId, apiKeyId, groupId, accountId, model],
      }),
      index("usage_daily_user_id_day_index").on(slice, userId, day).where(large),
      index("usage_daily_api_key_id_day_index").on(slice, apiKeyId, day).where(large),
      index("usage_daily_group_id_day_index").on(slice, groupId, day).where(large),
      index("usage_daily_account_id_day_index").on(slice, accountId, day).where(large),
      index("usage_daily_model_day_index").on(slice, model, day).where(large),
    ];
  },
);
