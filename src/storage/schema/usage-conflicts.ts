import { sql } from "drizzle-orm";
import { bigserial, json, pgTable, text, unique } from "drizzle-orm/pg-core";
import { instant } from "./columns.ts";

/** Records whose request id was on file with other contents. They are never booked. */
export const usageConflicts = pgTable(
  "usage_conflicts",
  {
    id: bigserial({ mode: "number" }).primaryKey(),
    requestId: text().notNull(),
    /** The record as it came, in the form of `src/domain/usage-line.ts`. */
    line: json().notNull(),
    /** SHA-256 of the line, as hex, so that the same one is kept once. */
    digest: text().notNull(),
    seenAtMs: instant("seen_at").notNull().default(sql`now()`),
  },
  (table) => [unique("usage_conflicts_request_id_digest_unique").on(table.requestId, table.digest)],
);
