import { and, desc, eq, gte, lt, or, type SQL } from "drizzle-orm";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import type { UsageStatus } from "#domain/usage-record.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { usage } from "#storage/schema/usage.ts";
import { type Booking, bookUsage } from "./book-usage.ts";

/** A client request on record. Null means not known. */
export type UsageRow = Readonly<typeof usage.$inferSelect>;

/** Which records are wanted; those that fit every condition given. */
export interface UsageFilter {
  readonly userId?: UserId | undefined;
  readonly apiKeyId?: ApiKeyId | undefined;
  readonly groupId?: GroupId | undefined;
  readonly accountId?: AccountId | undefined;
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

/** What every client request used and cost. */
export class UsageRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Books records and takes their cost from balances and quotas, all or nothing. A record whose request id
   * is already booked changes nothing, so a batch may be offered again after any failure.
   *
   * @param lines records in the form of `src/domain/usage-line.ts`.
   */
  async book(lines: readonly string[]): Promise<Booking> {
    if (lines.length === 0) return { inserted: 0, balances: [], spends: [] };
    return await bookUsage(this.#db, lines);
  }

  /** Records that fit the filter, newest first. */
  async list(filter: UsageFilter, page: PageRequest): Promise<Page<UsageRow>> {
    const rows = await this.#db
      .select()
      .from(usage)
      .where(and(...conditions(filter), olderThan(usage.id, page)))
      .orderBy(desc(usage.id))
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
    when(filter.model, (model) => eq(usage.model, model)),
    when(filter.status, (status) => eq(usage.status, status)),
    when(filter.requestId, (id) => or(eq(usage.requestId, id), eq(usage.upstreamRequestId, id))),
    when(filter.fromMs, (ms) => gte(usage.createdAtMs, ms)),
    when(filter.toMs, (ms) => lt(usage.createdAtMs, ms)),
  ];
}

function when<Value>(
  value: Value | undefined,
  condition: (value: Value) => SQL | undefined,
): SQL | undefined {
  return value === undefined ? undefined : condition(value);
}
