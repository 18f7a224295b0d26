import { desc, eq, sql } from "drizzle-orm";
import type { GroupId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { groups } from "#storage/schema/groups.ts";
import { deleted, type Written, written } from "#storage/written.ts";

/** A group as stored. Null means not set. */
export type GroupRow = Readonly<typeof groups.$inferSelect>;

/** What may be said about a group at create; the rest has defaults. */
export type NewGroup = Readonly<Omit<typeof groups.$inferInsert, "id" | "createdAtMs" | "updatedAtMs">>;

/** What may change about a group. Absent stays, null clears. */
export type GroupChange = Partial<NewGroup>;

/** The pools that API keys draw from. */
export class GroupRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Adds a group. Conflicts `duplicate` (name) and `unknown_reference` (a fallback group). */
  create(group: NewGroup): Promise<Written<GroupRow>> {
    return written(async () => (await this.#db.insert(groups).values(group).returning())[0]);
  }

  /** The group with this id. */
  async get(id: GroupId): Promise<GroupRow | undefined> {
    return (await this.#db.select().from(groups).where(eq(groups.id, id)))[0];
  }

  /** Groups, newest first. */
  async list(page: PageRequest): Promise<Page<GroupRow>> {
    const rows = await this.#db
      .select()
      .from(groups)
      .where(olderThan(groups.id, page))
      .orderBy(desc(groups.id))
      .limit(rowsToRead(page));
    return pageOf(rows, page);
  }

  /** Changes a group. Conflicts `not_found`, `duplicate` and `unknown_reference`. */
  update(id: GroupId, change: GroupChange): Promise<Written<GroupRow>> {
    return written(async () => {
      const changed = { ...change, updatedAtMs: sql`now()` };
      return (await this.#db.update(groups).set(changed).where(eq(groups.id, id)).returning())[0];
    });
  }

  /** Removes a group for good. Conflicts `not_found` and, while keys, accounts or groups use it, `still_referenced`. */
  delete(id: GroupId): Promise<Written<GroupRow>> {
    return deleted(async () => (await this.#db.delete(groups).where(eq(groups.id, id)).returning())[0]);
  }
}
