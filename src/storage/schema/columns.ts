import { sql } from "drizzle-orm";
import { bigint, customType } from "drizzle-orm/pg-core";
import type { WindowSpan } from "#domain/spend-window.ts";

/**
 * A moment, `timestamptz` in the database and milliseconds since the Unix epoch in memory.
 *
 * PostgreSQL shortens a whole-hour offset to `+00`, which is not ISO 8601; the minutes are put back
 * before the text is read.
 */
export const instant = customType<{ data: number; driverData: string }>({
  dataType: () => "timestamp with time zone",
  toDriver: (ms) => new Date(ms).toISOString(),
  fromDriver: (text) => Date.parse(text.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00")),
});

/** An amount in nano-dollars. */
export const nanos = () => bigint({ mode: "bigint" });

/** When a window of spending began; null: never. */
export const windowStart = (span: WindowSpan) => instant(`window_${span}_started_at`);

/** What was spent in a window of spending, in nano-dollars. */
export const windowUsed = (span: WindowSpan) =>
  bigint(`window_${span}_used_nanos`, { mode: "bigint" }).notNull().default(sql`0`);

/** Grows with every change of the row's money, so that readers can tell what is newer. */
export const revision = () => bigint({ mode: "number" }).notNull().default(0);

/** When the row was made and last changed, both by the database's clock. */
export const timestamps = () => ({
  createdAtMs: instant("created_at").notNull().default(sql`now()`),
  updatedAtMs: instant("updated_at").notNull().default(sql`now()`),
});
