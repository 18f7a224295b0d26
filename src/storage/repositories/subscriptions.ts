import { and, desc, eq, ne, type SQL, sql } from "drizzle-orm";
import type { GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { SubscriptionStatus } from "#domain/subscription.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { subscriptions } from "#storage/schema/subscriptions.ts";
import { deleted, type Written, written } from "#storage/written.ts";

/** A subscription as stored, with what it has spent. Null means not set. */
export type SubscriptionRow = Readonly<typeof subscriptions.$inferSelect>;

/** What may be said about a subscription at create; the rest has defaults. */
export type NewSubscription = Readonly<
  Pick<typeof subscriptions.$inferInsert, "userId" | "groupId" | "status" | "startsAtMs" | "expiresAtMs">
>;

/** What may change about a subscription. Absent stays. Its user and its group never change. */
export type SubscriptionChange = Partial<Omit<NewSubscription, "userId" | "groupId">>;

/** Which subscriptions are wanted; those that fit every condition given. */
export interface SubscriptionFilter {
  readonly userId?: UserId | undefined;
  readonly groupId?: GroupId | undefined;
  readonly status?: SubscriptionStatus | undefined;
}

const UNSPENT = {
  window1dStartedAtMs: null,
  window1dUsedNanos: 0n,
  window7dStartedAtMs: null,
  window7dUsedNanos: 0n,
  window30dStartedAtMs: null,
  window30dUsedNanos: 0n,
};

/** Who may spend in which group of subscriptions, and until when. */
export class SubscriptionRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Adds a subscription. Conflicts `duplicate` when the user has one in the group that is not cancelled, and
   * `unknown_reference` (user or group).
   */
  create(subscription: NewSubscription): Promise<Written<SubscriptionRow>> {
    return written(async () => (await this.#db.insert(subscriptions).values(subscription).returning())[0]);
  }

  /** The subscription with this id. */
  async get(id: SubscriptionId): Promise<SubscriptionRow | undefined> {
    return (await this.#db.select().from(subscriptions).where(eq(subscriptions.id, id)))[0];
  }

  /** Subscriptions that fit the filter, newest first. */
  async list(filter: SubscriptionFilter, page: PageRequest): Promise<Page<SubscriptionRow>> {
    const rows = await this.#db
      .select()
      .from(subscriptions)
      .where(and(...conditions(filter), olderThan(subscriptions.id, page)))
      .orderBy(desc(subscriptions.id))
      .limit(rowsToRead(page));
    return pageOf(rows, page);
  }

  /** A subscription in this group that is not cancelled; undefined: there is none. */
  async liveIn(groupId: GroupId): Promise<SubscriptionId | undefined> {
    const isLive = and(eq(subscriptions.groupId, groupId), ne(subscriptions.status, "cancelled"));
    return (await this.#db.select({ id: subscriptions.id }).from(subscriptions).where(isLive).limit(1))[0]
      ?.id;
  }

  /** Changes a subscription. Conflicts `not_found`, and `duplicate` when it would be a second live one. */
  update(id: SubscriptionId, change: SubscriptionChange): Promise<Written<SubscriptionRow>> {
    return this.#change(id, change);
  }

  /** Lets every window of a subscription begin anew with its next cost. Conflict `not_found`. */
  resetWindows(id: SubscriptionId): Promise<Written<SubscriptionRow>> {
    return this.#change(id, UNSPENT);
  }

  /** Removes a subscription for good; what it paid for stays on record. Conflict `not_found`. */
  delete(id: SubscriptionId): Promise<Written<SubscriptionRow>> {
    return deleted(
      async () => (await this.#db.delete(subscriptions).where(eq(subscriptions.id, id)).returning())[0],
    );
  }

  #change(
    id: SubscriptionId,
    change: Partial<typeof subscriptions.$inferInsert>,
  ): Promise<Written<SubscriptionRow>> {
    const changed = { ...change, revision: sql`${subscriptions.revision} + 1`, updatedAtMs: sql`now()` };
    return written(
      async () =>
        (await this.#db.update(subscriptions).set(changed).where(eq(subscriptions.id, id)).returning())[0],
    );
  }
}

function conditions({ userId, groupId, status }: SubscriptionFilter): readonly (SQL | undefined)[] {
  return [
    userId === undefined ? undefined : eq(subscriptions.userId, userId),
    groupId === undefined ? undefined : eq(subscriptions.groupId, groupId),
    status === undefined ? undefined : eq(subscriptions.status, status),
  ];
}
