import { bigint, bigserial, index, pgTable, text, timestamp } from "drizzle-orm/pg-core";

/** What was changed through the admin API, in order, for nodes that were not told. */
export const changes = pgTable(
  "changes",
  {
    id: bigserial({ mode: "number" }).primaryKey(),
    kind: text().notNull(),
    /** 0 where the kind has no rows of its own. */
    rowId: bigint({ mode: "number" }).notNull(),
    createdAt: timestamp({ withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [index().on(table.createdAt)],
);
