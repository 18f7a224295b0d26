import { sql } from "drizzle-orm";
import { boolean, check, pgTable } from "drizzle-orm/pg-core";
import { instant } from "./columns.ts";

/** One row: the months of usage before this moment were dropped, and are never made again. */
export const usageHorizon = pgTable(
  "usage_horizon",
  {
    isOnly: boolean().primaryKey().default(true),
    /** Null: none was ever dropped. */
    droppedBeforeMs: instant("dropped_before"),
  },
  (table) => [check("usage_horizon_is_only_check", sql`${table.isOnly}`)],
);
