import { desc, eq, type SQL, sql } from "drizzle-orm";
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

/** The groups that name a group as a fallback: one of each sort, the oldest; null where there is none. */
export interface GroupReferrers {
  readonly asFallback: GroupId | null;
  readonly onInvalidRequest: GroupId | null;
}

/** The builder, inside a transaction or outside of one. */
type Writer = Pick<Database, "select" | "insert" | "update" | "delete" | "execute" | "transaction">;

/** The pools that API keys draw from. */
export class GroupRepository {
  readonly #db: Writer;

  constructor(db: Writer) {
    this.#db = db;
  }

  /**
   * Does some work while no other change of groups is under way anywhere, so that what it reads of them still
   * holds when it writes. It must use nothing of the storage but the groups that it is given.
   */
  exclusively<Result>(work: (groups: GroupRepository) => Promise<Result>): Promise<Result> {
    return this.#db.transaction(async (transaction) => {
      await transaction.execute(sql`lock table ${groups} in share row exclusive mode`);
      return await work(new GroupRepository(transaction));
    });
  }

  /** Adds a group. Conflicts `duplicate` (name) and `unknown_reference` (a fallback group). */
  create(group: NewGroup): Promise<Written<GroupRow>> {
    return written(() => this.#apart(async (db) => (await db.insert(groups).values(group).returning())[0]));
  }

  /** The group with this id. */
  async get(id: GroupId): Promise<GroupRow | undefined> {
    return (await this.#db.select().from(groups).where(eq(groups.id, id)))[0];
  }

  /** Who falls back to a group. */
  async referrersOf(id: GroupId): Promise<GroupReferrers> {
    const oldest = (points: SQL) =>
      sql<GroupId | null>`min(${groups.id}) filter (where ${points})`.mapWith(groups.id);
    const [referrers] = await this.#db
      .select({
        asFallback: oldest(eq(groups.fallbackGroupId, id)),
        onInvalidRequest: oldest(eq(groups.fallbackGroupIdOnInvalidRequest, id)),
      })
      .from(groups);
    return referrers ?? { asFallback: null, onInvalidRequest: null };
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
    const changed = { ...change, updatedAtMs: sql`now()` };
    return written(() =>
      this.#apart(
        async (db) => (await db.update(groups).set(changed).where(eq(groups.id, id)).returning())[0],
      ),
    );
  }

  /** Removes a group for good. Conflicts `not_found` and, while keys, accounts or groups use it, `still_referenced`. */
  delete(id: GroupId): Promise<Written<GroupRow>> {
    return deleted(async () => (await this.#db.delete(groups).where(eq(groups.id, id)).returning())[0]);
  }

  /** In a transaction of its own, or a savepoint inside {@link exclusively}, which a conflict does not end then. */
  #apart<Result>(write: (db: Writer) => Promise<Result>): Promise<Result> {
    return this.#db.transaction(write);
  }
}
