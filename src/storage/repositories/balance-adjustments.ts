import { and, desc, eq, sql } from "drizzle-orm";
import type { UserId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { balanceAdjustments } from "#storage/schema/balance-adjustments.ts";
import { users } from "#storage/schema/users.ts";
import { type Written, written } from "#storage/written.ts";

/** A movement of a balance on record. */
export type BalanceAdjustmentRow = Readonly<typeof balanceAdjustments.$inferSelect>;

/** A movement of a balance to be made. */
export interface BalanceAdjustment {
  readonly userId: UserId;
  /** Added to the balance, or taken from it when negative; it may go below zero. */
  readonly amountNanos: bigint;
  readonly reason: string;
  /** Names this movement among all that are ever made, so that asking again does not make it again. */
  readonly idempotencyKey: string;
}

/** Which movements are wanted; those that fit every condition given. */
export interface BalanceAdjustmentFilter {
  readonly userId?: UserId | undefined;
}

/** Balances moved by hand, and the record of it, which only ever grows. */
export class BalanceAdjustmentRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Moves a balance once, however often it is asked to. Gives the record of the movement, the first one when its
   * idempotency key was used before. Conflicts `not_found` (user), and `duplicate` of `idempotency_key` when the
   * key was used for another movement.
   */
  async adjust(adjustment: BalanceAdjustment): Promise<Written<BalanceAdjustmentRow>> {
    const known = await this.#find(adjustment.idempotencyKey);
    if (known !== undefined) return repeated(known, adjustment);
    const moved = await written(() => this.#move(adjustment));
    if (moved.ok || moved.conflict.kind !== "duplicate") return moved;
    // Somebody else used the key meanwhile.
    const first = await this.#find(adjustment.idempotencyKey);
    return first === undefined ? moved : repeated(first, adjustment);
  }

  /** Movements that fit the filter, newest first. */
  async list({ userId }: BalanceAdjustmentFilter, page: PageRequest): Promise<Page<BalanceAdjustmentRow>> {
    const ofUser = userId === undefined ? undefined : eq(balanceAdjustments.userId, userId);
    const rows = await this.#db
      .select()
      .from(balanceAdjustments)
      .where(and(ofUser, olderThan(balanceAdjustments.id, page)))
      .orderBy(desc(balanceAdjustments.id))
      .limit(rowsToRead(page));
    return pageOf(rows, page);
  }

  async #find(idempotencyKey: string): Promise<BalanceAdjustmentRow | undefined> {
    const isNamed = eq(balanceAdjustments.idempotencyKey, idempotencyKey);
    return (await this.#db.select().from(balanceAdjustments).where(isNamed))[0];
  }

  #move({ userId, amountNanos, ...named }: BalanceAdjustment): Promise<BalanceAdjustmentRow | undefined> {
    return this.#db.transaction(async (transaction) => {
      const [user] = await transaction
        .update(users)
        .set({
          balanceNanos: sql`${users.balanceNanos} + ${amountNanos}`,
          revision: sql`${users.revision} + 1`,
          updatedAtMs: sql`now()`,
        })
        .where(eq(users.id, userId))
        .returning({ balanceNanos: users.balanceNanos });
      if (user === undefined) return undefined;
      const row = { ...named, userId, amountNanos, balanceAfterNanos: user.balanceNanos };
      return (await transaction.insert(balanceAdjustments).values(row).returning())[0];
    });
  }
}

function repeated(
  first: BalanceAdjustmentRow,
  { userId, amountNanos, reason }: BalanceAdjustment,
): Written<BalanceAdjustmentRow> {
  const isSame = first.userId === userId && first.amountNanos === amountNanos && first.reason === reason;
  if (isSame) return { ok: true, row: first };
  return { ok: false, conflict: { kind: "duplicate", subject: "idempotency_key" } };
}
