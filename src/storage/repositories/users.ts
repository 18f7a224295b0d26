import { and, asc, desc, eq, sql } from "drizzle-orm";
import type { GroupId, UserId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { balanceAdjustments } from "#storage/schema/balance-adjustments.ts";
import { userGroupRates } from "#storage/schema/user-group-rates.ts";
import { users } from "#storage/schema/users.ts";
import { deleted, type Written, written } from "#storage/written.ts";

/** Why a balance moved with which a user began. */
const FIRST_BALANCE = "first balance";

/** A user as stored. Null means not set. */
export type UserRow = Readonly<typeof users.$inferSelect>;

/** What may be said about a user at create; the rest has defaults. */
export type NewUser = Readonly<
  Omit<typeof users.$inferInsert, "id" | "revision" | "createdAtMs" | "updatedAtMs">
>;

/** What may change about a user. Absent stays, null clears. Balances move by adjustments, which are kept on record. */
export type UserChange = Partial<Omit<NewUser, "balanceNanos">>;

/** What costs are multiplied with for one user in one group, in parts per billion. */
export type UserGroupRateRow = Readonly<typeof userGroupRates.$inferSelect>;

/** The people and programs that pay. */
export class UserRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Adds a user, and puts the balance it begins with on record like every later movement. Conflict `duplicate`
   * when the email is taken.
   */
  create(user: NewUser): Promise<Written<UserRow>> {
    return written(() =>
      this.#db.transaction(async (transaction) => {
        const [row] = await transaction.insert(users).values(user).returning();
        if (row === undefined || row.balanceNanos === 0n) return row;
        const { id: userId, balanceNanos } = row;
        await transaction.insert(balanceAdjustments).values({
          userId,
          amountNanos: balanceNanos,
          reason: FIRST_BALANCE,
          idempotencyKey: `${FIRST_BALANCE} of user ${userId}`,
          balanceAfterNanos: balanceNanos,
        });
        return row;
      }),
    );
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

  /** The multipliers that a user has of their own, by group. */
  async groupRates(id: UserId): Promise<readonly UserGroupRateRow[]> {
    return await this.#db
      .select()
      .from(userGroupRates)
      .where(eq(userGroupRates.userId, id))
      .orderBy(asc(userGroupRates.groupId));
  }

  /** Gives a user a multiplier of their own in a group. Conflict `unknown_reference` (user or group). */
  setGroupRate(rate: UserGroupRateRow): Promise<Written<UserGroupRateRow>> {
    const { rateMultiplierNanos } = rate;
    const target = [userGroupRates.userId, userGroupRates.groupId];
    return written(
      async () =>
        (
          await this.#db
            .insert(userGroupRates)
            .values(rate)
            .onConflictDoUpdate({ target, set: { rateMultiplierNanos } })
            .returning()
        )[0],
    );
  }

  /** Returns a user to the group's own multiplier. Conflict `not_found`. */
  deleteGroupRate(id: UserId, groupId: GroupId): Promise<Written<UserGroupRateRow>> {
    const where = and(eq(userGroupRates.userId, id), eq(userGroupRates.groupId, groupId));
    return deleted(async () => (await this.#db.delete(userGroupRates).where(where).returning())[0]);
  }

  /** Removes a user for good, subscriptions included. Conflicts `not_found` and, while it has API keys, `still_referenced`. */
  delete(id: UserId): Promise<Written<UserRow>> {
    return deleted(async () => (await this.#db.delete(users).where(eq(users.id, id)).returning())[0]);
  }
}
