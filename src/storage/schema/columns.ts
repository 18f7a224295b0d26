import { sql } from "drizzle-orm";
import { bigint, customType } from "drizzle-orm/pg-core";

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

/** When the row was made and last changed, both by the database's clock. */
export const timestamps = () => ({
  createdAtMs: instant("created_at").notNull().default(sql`now()`),
  updatedAtMs: instant("updated_at").notNull().default(sql`now()`),
});
