import { desc, eq, sql } from "drizzle-orm";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { errorRules } from "#storage/schema/error-rules.ts";
import { deleted, type Written, written } from "#storage/written.ts";

/** An error rule as stored. Null means the upstream's own. */
export type ErrorRuleRow = Readonly<typeof errorRules.$inferSelect>;

/** What may be said about an error rule at create; the rest has defaults. */
export type NewErrorRule = Readonly<
  Omit<typeof errorRules.$inferInsert, "id" | "createdAtMs" | "updatedAtMs">
>;

/** What may change about an error rule. Absent stays, null clears. */
export type ErrorRuleChange = Partial<NewErrorRule>;

/** How upstreams' error answers are shown to clients, where that differs from the usual. */
export class ErrorRuleRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Adds a rule. Conflict `duplicate` (name). */
  create(rule: NewErrorRule): Promise<Written<ErrorRuleRow>> {
    return written(async () => (await this.#db.insert(errorRules).values(rule).returning())[0]);
  }

  /** The rule with this id. */
  async get(id: number): Promise<ErrorRuleRow | undefined> {
    return (await this.#db.select().from(errorRules).where(eq(errorRules.id, id)))[0];
  }

  /** Rules, newest first. */
  async list(page: PageRequest): Promise<Page<ErrorRuleRow>> {
    const rows = await this.#db
      .select()
      .from(errorRules)
      .where(olderThan(errorRules.id, page))
      .orderBy(desc(errorRules.id))
      .limit(rowsToRead(page));
    return pageOf(rows, page);
  }

  /** Changes a rule. Conflicts `not_found` and `duplicate`. */
  update(id: number, change: ErrorRuleChange): Promise<Written<ErrorRuleRow>> {
    return written(async () => {
      const changed = { ...change, updatedAtMs: sql`now()` };
      return (await this.#db.update(errorRules).set(changed).where(eq(errorRules.id, id)).returning())[0];
    });
  }

  /** Removes a rule for good. Conflict `not_found`. */
  delete(id: number): Promise<Written<ErrorRuleRow>> {
    return deleted(
      async () => (await this.#db.delete(errorRules).where(eq(errorRules.id, id)).returning())[0],
    );
  }
}
