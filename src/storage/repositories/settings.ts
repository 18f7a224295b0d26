import { eq, sql } from "drizzle-orm";
import type { Database } from "#storage/engines/postgres.ts";
import { settings } from "#storage/schema/settings.ts";

/** One value that can be changed while the gateway runs. */
export type SettingRow = Readonly<typeof settings.$inferSelect>;

/** Values that are changed while the gateway runs, by name. What they mean is for others to say. */
export class SettingRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Every setting that differs from its default. */
  async all(): Promise<readonly SettingRow[]> {
    return await this.#db.select().from(settings).orderBy(settings.key);
  }

  /** Sets a value, any JSON but null at the top. */
  async put(key: string, value: NonNullable<unknown>): Promise<void> {
    await this.#db
      .insert(settings)
      .values({ key, value })
      .onConflictDoUpdate({ target: settings.key, set: { value, updatedAtMs: sql`now()` } });
  }

  /** Returns a setting to its default. */
  async remove(key: string): Promise<void> {
    await this.#db.delete(settings).where(eq(settings.key, key));
  }
}
