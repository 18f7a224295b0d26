import { gte, lt, sql } from "drizzle-orm";
import type { AccountId } from "#domain/ids.ts";
import type { QuarterSpend } from "#domain/quarter-spend.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { accountSpend } from "#storage/schema/account-spend.ts";

/** What accounts have cost: quarters that began at or after `fromMs` one by one, those before it added up. */
export interface StoredSpend {
  /** In milliseconds since the Unix epoch. */
  readonly fromMs: number;
  readonly older: readonly { readonly accountId: AccountId; readonly costNanos: number }[];
  readonly recent: readonly QuarterSpend[];
}

/** What requests through each account have cost; written by the booking of their usage. */
export class AccountSpendRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** What every account has cost, with the quarters from `fromMs` on told apart, oldest first. */
  async load(fromMs: number): Promise<StoredSpend> {
    const { accountId, quarterMs, costNanos } = accountSpend;
    // Each row is read by one of the two, whatever is booked between them.
    const older = await this.#db
      .select({ accountId, costNanos: sql<string>`sum(${costNanos})`.mapWith(Number) })
      .from(accountSpend)
      .where(lt(quarterMs, fromMs))
      .groupBy(accountId);
    // An account is one row, because a busy one has hundreds of quarters.
    const accounts = await this.#db
      .select({
        accountId,
        quarters: sql<
          readonly number[]
        >`json_agg(extract(epoch from ${quarterMs})::bigint * 1000 order by ${quarterMs})`,
        costs: sql<readonly number[]>`json_agg(${costNanos} order by ${quarterMs})`,
      })
      .from(accountSpend)
      .where(gte(quarterMs, fromMs))
      .groupBy(accountId);
    const recent = accounts.flatMap(({ accountId: id, quarters, costs }) =>
      quarters.map((ms, index) => ({ accountId: id, quarterMs: ms, costNanos: costs[index] ?? 0 })),
    );
    return { fromMs, older, recent };
  }
}
