import { sql } from "drizzle-orm";
import { bigint, bigserial, index, pgTable, text } from "drizzle-orm/pg-core";
import type { UserId } from "#domain/ids.ts";
import { instant, nanos } from "./columns.ts";

/** Every movement of a balance that no request made. No foreign key: the record outlives the user. */
export const balanceAdjustments = pgTable(
  "balance_adjustments",
  {
    id: bigserial({ mode: "number" }).primaryKey(),
    userId: bigint({ mode: "number" }).$type<UserId>().notNull(),
    amountNanos: nanos().notNull(),
    reason: text().notNull(),
    idempotencyKey: text().notNull().unique("balance_adjustments_idempotency_key_unique"),
    balanceAfterNanos: nanos().notNull(),
    createdAtMs: instant("created_at").notNull().default(sql`now()`),
  },
  (table) => [index("balance_adjustments_user_id_id_index").on(table.userId, table.id)],
);
