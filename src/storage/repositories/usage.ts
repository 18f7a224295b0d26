import { and, asc, desc, eq, gte, lt, lte, or, type SQL } from "drizzle-orm";
import type { Booked } from "#domain/booked.ts";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { UsageStatus } from "#domain/usage-record.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, placedPageOf, rowsToRead } from "#storage/page.ts";
import { usage } from "#storage/schema/usage.ts";
import { usageAttempts } from "#storage/schema/usage-attempts.ts";
import { usageConflicts } from "#storage/schema/usage-conflicts.ts";
import { type BookedRecords, bookUsage } from "./book-usage.ts";
import { keepConflicts, type UsageConflictRow } from "./usage-conflicts.ts";
import { isMonthMissing, UsageMonths } from "./usage-months.ts";

/** A client request on record. Null means not known. */
export type UsageRow = Readonly<typeof usage.$inferSelect>;

/** An attempt at an account on record. */
export type UsageAttemptRow = Readonly<typeof usageAttempts.$inferSelect>;

/** What a booking did. */
export interface Booking extends Booked {
  /** How many of the records were not on file before. */
  readonly inserted: number;
  /** How many were put aside, because their requests were on file with other contents. */
  readonly conflicts: number;
}

/** Which records are wanted; those that fit every condition given. */
export interface UsageFilter {
  readonly userId?: UserId | undefined;
  readonly apiKeyId?: ApiKeyId | undefined;
  readonly groupId?: GroupId | undefined;
  readonly accountId?: AccountId | undefined;
  readonly subscriptionId?: SubscriptionId | undefined;
  /** As the client asked. */
  readonly model?: string | undefined;
  readonly status?: UsageStatus | undefined;
  /** Ours or the upstream's. */
  readonly requestId?: string | undefined;
  /** Arrived at or after, in milliseconds since the Unix epoch. */
  readonly fromMs?: number | undefined;
  /** Arrived before, in milliseconds since the Unix epoch. */
  readonly toMs?: number | undefined;
}

/** Where a record stands in the list: by when it arrived, and among those of one millisecond by its id. */
export interface UsagePlace {
  /** Milliseconds since the Unix epoch. */
  readonly createdAtMs: number;
  readonly id: number;
}

/** Which stretch of the list of records is wanted. */
export type UsagePageRequest = PageRequest<UsagePlace>;
/** One stretch of the list of records. */
export type UsagePage = Page<UsageRow, UsagePlace>;

/** What every client request used and cost. */
export class UsageRepository {
  readonly months: UsageMonths;
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
    this.months = new UsageMonths(db);
  }

  /**
   * Books records and takes their cost from balances, quotas and windows, all or nothing. A record whose
   * request id is already booked changes nothing, so a batch may be offered again after any failure; if it says
   * something else than what is on file, it is kept aside.
   *
   * @param lines records in the form of `src/domain/usage-line.ts`.
   * @throws Error with SQLSTATE 23514 when one is of a month whose records were dropped.
   */
  async book(lines: readonly string[]): Promise<Booking> {
    if (lines.length === 0) {
      return {
        inserted: 0,
        conflicts: 0,
        balances: [],
        quotas: [],
        subscriptions: [],
        windows: [],
        spends: [],
      };
    }
    const booked = await this.#bookWithMonths(lines);
    // What is booked stays booked if this fails: the batch is offered again, and then only this is left to do.
    const conflicts = booked.inserted < lines.length ? await keepConflicts(this.#db, lines) : 0;
    return { ...booked, conflicts };
  }

  /** Months are made ahead, so that a record finds its own missing only when it is late or the clock is ahead. */
  async #bookWithMonths(lines: readonly string[]): Promise<BookedRecords> {
    try {
      return await bookUsage(this.#db, lines);
    } catch (thrown) {
      if (!isMonthMissing(thrown)) throw thrown;
      await this.months.makeFor(lines);
      return await bookUsage(this.#db, lines);
    }
  }

  /** Records that fit the filter, those that arrived last first. */
  async list(filter: UsageFilter, page: UsagePageRequest): Promise<UsagePage> {
    const rows = await this.#db
      .select()
      .from(usage)
      .where(and(...conditions(filter), ...earlierThan(page)))
      .orderBy(desc(usage.createdAtMs), desc(usage.id))
      .limit(rowsToRead(page));
    return placedPageOf(rows, page, ({ createdAtMs, id }) => ({ createdAtMs, id }));
  }

  /** The attempts of a request, in their order. */
  async attempts(requestId: string): Promise<readonly UsageAttemptRow[]> {
    return await this.#db
      .select()
      .from(usageAttempts)
      .where(eq(usageAttempts.requestId, requestId))
      .orderBy(asc(usageAttempts.number));
  }

  /** Records that were put aside, newest first. */
  async conflicts(page: PageRequest): Promise<Page<UsageConflictRow>> {
    const rows = await this.#db
      .select()
      .from(usageConflicts)
      .where(olderThan(usageConflicts.id, page))
      .orderBy(desc(usageConflicts.id))
      .limit(rowsToRead(page));
    return pageOf(rows, page);
  }
}

function conditions(filter: UsageFilter): readonly (SQL | undefined)[] {
  return [
    when(filter.userId, (id) => eq(usage.userId, id)),
    when(filter.apiKeyId, (id) => eq(usage.apiKeyId, id)),
    when(filter.groupId, (id) => eq(usage.groupId, id)),
    when(filter.accountId, (id) => eq(usage.accountId, id)),
    when(filter.subscriptionId, (id) => eq(usage.subscriptionId, id)),
    when(filter.model, (model) => eq(usage.model, model)),
    when(filter.status, (status) => eq(usage.status, status)),
    when(filter.requestId, (id) => or(eq(usage.requestId, id), eq(usage.upstreamRequestId, id))),
    when(filter.fromMs, (ms) => gte(usage.createdAtMs, ms)),
    when(filter.toMs, (ms) => lt(usage.createdAtMs, ms)),
  ];
}

/** The time alone is what months are left out by; the pair is what ends the page. */
function earlierThan({ before }: UsagePageRequest): readonly (SQL | undefined)[] {
  if (before === undefined) return [];
  const { createdAtMs, id } = before;
  return [lte(usage.createdAtMs, createdAtMs), or(lt(usage.createdAtMs, createdAtMs), lt(usage.id, id))];
}

function when<Value>(
  value: Value | undefined,
  condition: (value: Value) => SQL | undefined,
): SQL | undefined {
  return value === undefined ? undefined : condition(value);
}
