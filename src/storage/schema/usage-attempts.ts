import { bigint, index, integer, pgTable, primaryKey, text } from "drizzle-orm/pg-core";
import type { UpstreamBilled } from "#domain/attempt-record.ts";
import type { AccountId } from "#domain/ids.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import { instant } from "./columns.ts";

const count = () => bigint({ mode: "number" }).notNull();

/**
 * One row per attempt at an account. No foreign keys: the record outlives what it names. Partitioned like `usage`,
 * so that attempts live as long as their request.
 */
export const usageAttempts = pgTable(
  "usage_attempts",
  {
    requestId: text().notNull(),
    /** When the request arrived. */
    createdAtMs: instant("created_at").notNull(),
    number: integer().notNull(),
    accountId: bigint({ mode: "number" }).$type<AccountId>().notNull(),
    startedAtMs: instant("started_at").notNull(),
    durationMs: integer().notNull(),
    httpStatus: integer(),
    fault: text().$type<FaultCode>(),
    bytes: count(),
    inputTokens: count(),
    outputTokens: count(),
    billed: text().$type<UpstreamBilled>().notNull(),
    reason: text().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.requestId, table.number, table.createdAtMs] }),
    index("usage_attempts_account_id_started_at_index").on(table.accountId, table.startedAtMs),
  ],
);
