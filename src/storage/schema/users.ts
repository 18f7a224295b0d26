import { sql } from "drizzle-orm";
import { bigserial, integer, pgTable, text } from "drizzle-orm/pg-core";
import type { UserId } from "#domain/ids.ts";
import { nanos, revision, timestamps } from "./columns.ts";

export const users = pgTable("users", {
  id: bigserial({ mode: "number" }).$type<UserId>().primaryKey(),
  name: text().notNull(),
  email: text().unique(),
  status: text().$type<"active" | "disabled">().notNull().default("active"),
  balanceNanos: nanos().notNull().default(sql`0`),
  revision: revision(),
  /** Requests at once; 0 means unlimited. */
  concurrency: integer().notNull().default(5),
  ...timestamps(),
});
