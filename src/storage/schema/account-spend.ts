import { bigint, pgTable, primaryKey } from "drizzle-orm/pg-core";
import type { AccountId } from "#domain/ids.ts";
import { instant, nanos } from "./columns.ts";

/**
 * What requests through an account have cost, by quarter of an hour, from which every window can be added up:
 * all offsets of time zones are multiples of fifteen minutes.
 */
export const accountSpend = pgTable(
  "account_spend",
  {
    accountId: bigint({ mode: "number" }).$type<AccountId>().notNull(),
    /** The beginning of the quarter. */
    quarterMs: instant("quarter").notNull(),
    costNanos: nanos().notNull(),
  },
  (table) => [primaryKey({ columns: [table.accountId, table.quarterMs] })],
);
