import { index, pgTable, text } from "drizzle-orm/pg-core";
import { instant } from "./columns.ts";

/**
 * The requests that are booked, each once: the one place where that holds, because an index of a partitioned table
 * is unique within its partitions only. Says in which month the record is.
 */
export const usageRequests = pgTable(
  "usage_requests",
  {
    requestId: text().primaryKey(),
    createdAtMs: instant("created_at").notNull(),
  },
  (table) => [index("usage_requests_created_at_index").on(table.createdAtMs)],
);
