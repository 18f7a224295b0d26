import { and, desc, eq, isNull, lt, lte, ne, or, type SQL, sql } from "drizzle-orm";
import type { AccountEvent } from "#domain/account-event.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { accountEvents } from "#storage/schema/account-events.ts";
import { accounts } from "#storage/schema/accounts.ts";

/** Events that are kept of one account; the oldest go first. */
const EVENTS_PER_ACCOUNT_MAX = 1_000;

/** A change of an account's state, as it is on record. Null means that there is none. */
export type AccountEventRow = Readonly<typeof accountEvents.$inferSelect>;

type Writer = Pick<Database, "select" | "update" | "delete">;
type StateColumns = Pick<
  typeof accounts.$inferInsert,
  "statusReason" | "coolingUntilMs" | "coolingReason"
> & {
  readonly status?: "error" | SQL;
};

/** What an event makes of its account, and of which accounts that holds. */
interface StateChange {
  readonly columns: StateColumns;
  readonly when?: SQL | undefined;
}

/** What has happened to the accounts' states, and what their states are because of it. */
export class AccountEventRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Puts an event on record and its account into the state that follows from it, both or neither. A cooling
   * is only ever extended; an account that an operator has disabled stays disabled.
   */
  async append(event: AccountEvent): Promise<void> {
    const accountId = event.accountId as AccountId;
    await this.#db.transaction(async (transaction) => {
      await transaction.insert(accountEvents).values({ ...event, accountId });
      await changeState(transaction, accountId, stateChangeOf(event));
      await trim(transaction, accountId);
    });
  }

  /** What is on record of one account, newest first. It outlives the account. */
  async list(accountId: AccountId, page: PageRequest): Promise<Page<AccountEventRow>> {
    const rows = await this.#db
      .select()
      .from(accountEvents)
      .where(and(eq(accountEvents.accountId, accountId), olderThan(accountEvents.id, page)))
      .orderBy(desc(accountEvents.id))
      .limit(rowsToRead(page));
    return pageOf(rows, page);
  }
}

function stateChangeOf({ kind, reason, cooling, untilMs }: AccountEvent): StateChange | undefined {
  const { status, coolingUntilMs } = accounts;
  switch (kind) {
    case "cooled":
      if (untilMs === undefined) return undefined;
      return {
        columns: { coolingUntilMs: untilMs, coolingReason: cooling ?? null },
        when: or(isNull(coolingUntilMs), lt(coolingUntilMs, untilMs)),
      };
    case "failed":
      return { columns: { status: "error", statusReason: reason }, when: ne(status, "disabled") };
    case "recovered":
      return {
        columns: {
          status: sql`case ${status} when 'error' then 'active' else ${status} end`,
          statusReason: null,
          coolingUntilMs: null,
          coolingReason: null,
        },
      };
    default:
      return undefined;
  }
}

async function changeState(db: Writer, id: AccountId, change: StateChange | undefined): Promise<void> {
  if (change === undefined) return;
  await db
    .update(accounts)
    .set({ ...change.columns, updatedAtMs: sql`now()` })
    .where(and(eq(accounts.id, id), change.when));
}

/** One look along the index finds the newest event that is too many, and mostly there is none. */
async function trim(db: Writer, accountId: AccountId): Promise<void> {
  const ofAccount = eq(accountEvents.accountId, accountId);
  const newestTooMany = db
    .select({ id: accountEvents.id })
    .from(accountEvents)
    .where(ofAccount)
    .orderBy(desc(accountEvents.id))
    .limit(1)
    .offset(EVENTS_PER_ACCOUNT_MAX);
  await db.delete(accountEvents).where(and(ofAccount, lte(accountEvents.id, newestTooMany)));
}
