import { desc, eq, sql } from "drizzle-orm";
import type { UserId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { users } from "#storage/schema/users.ts";
import { deleted, type Written, written } from "#storage/written.ts";

/** A user as stored. Null means not set. */
export type UserRow = Readonly<typeof users.$inferSelect>;

/** What may be said about a user at create; the rest has defaults. */
export type NewUser = Readonly<Omit<typeof users.$inferInsert, "id" | "createdAtMs" | "updatedAtMs">>;

/** What may change about a user. Absent stays, null clears. Balances move by {@link UserRepository.addToBalance}. */
export type UserChange = Partial<Omit<NewUser, "balanceNanos">>;

/** The people and programs that pay. */
export class UserRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Adds a user. Conflict `duplicate` when the email is taken. */
  create(user: NewUser): Promise<Written<UserRow>> {
    return written(async () => (await this.#db.insert(users).values(user).returning())[0]);
  }

  /** The user with this id. */
  async get(id: UserId): Promise<UserRow | undefined> {
    return (await this.#db.select().from(users).where(eq(users.id, id)))[0];
  }

  /** Users, newest first. */
  async list(page: PageRequest): Promise<Page<UserRow>> {
    const rows = await this.#db
      .select()
      .from(users)
      .where(olderThan(users.id, page))
      .orderBy(desc(users.id))
      .limit(rowsToRead(page));
    return pageOf(rows, page);
  }

  /** Changes a user. Conflicts `not_found` and `duplicate`. */
  update(id: UserId, change: UserChange): Promise<Written<UserRow>> {
    return written(async () => {
      const changed = { ...change, updatedAtMs: sql`now()` };
      return (await this.#db.update(users).set(changed).where(eq(users.id, id)).returning())[0];
    });
  }

  /** Adds to a balance, or takes from it when negative; it may go below zero. Conflict `not_found`. */
  addToBalance(id: UserId, nanos: bigint): Promise<Written<UserRow>> {
    return written(async () => {
      const changed = { balanceNanos: sql`${users.balanceNanos} + ${nanos}`, updatedAtMs: sql`now()` };
      return (await this.#db.update(users).set(changed).where(eq(users.id, id)).returning())[0];
    });
  }

  /** Removes a user for good. Conflicts `not_found` and, while it has API keys, `still_referenced`. */
  delete(id: UserId): Promise<Written<UserRow>> {
    return deleted(async () => (await this.#db.delete(users).where(eq(users.id, id)).returning())[0]);
  }
}
