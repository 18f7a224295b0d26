import { sql } from "drizzle-orm";
import { bigserial, boolean, integer, pgTable, text } from "drizzle-orm/pg-core";
import type { RuleMatch } from "#domain/error-rule.ts";
import type { Platform } from "#domain/platform.ts";
import { timestamps } from "./columns.ts";

const words = () => text().array().notNull().default(sql`'{}'`);

export const errorRules = pgTable("error_rules", {
  id: bigserial({ mode: "number" }).primaryKey(),
  name: text().notNull().unique(),
  enabled: boolean().notNull().default(true),
  /** Lower is tried first. */
  priority: integer().notNull().default(50),
  platforms: words().$type<readonly Platform[]>(),
  statuses: integer().array().notNull().default(sql`'{}'`),
  keywords: words(),
  match: text().$type<RuleMatch>().notNull().default("any"),
  /** Null: the upstream's own. */
  responseStatus: integer(),
  /** Null: the upstream's own. */
  message: text(),
  skipsMonitoring: boolean().notNull().default(false),
  ...timestamps(),
});
