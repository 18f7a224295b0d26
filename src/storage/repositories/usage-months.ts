import { type SQL, sql } from "drizzle-orm";
import type { Database } from "#storage/engines/postgres.ts";
import { usageHorizon } from "#storage/schema/usage-horizon.ts";
import { usageRequests } from "#storage/schema/usage-requests.ts";
import { sqlStateOf } from "#storage/server-error.ts";

/** Requests of dropped months that one statement forgets: some tens of milliseconds. */
const FORGOTTEN_AT_ONCE = 10_000;

/** SQLSTATE `check_violation`, which is what a row that no partition takes is. Source: PostgreSQL, "Error Codes". */
const CHECK_VIOLATION = "23514";
/** SQLSTATE `lock_not_available`. */
const LOCK_NOT_AVAILABLE = "55P03";

/**
 * What a step of dropping came to: one month, such as `2026_01`, dropped; ids of requests of dropped months
 * forgotten, of which there may be more; a month in use, which has to wait; or nothing left to do. The sums by day
 * stay.
 */
export type DropStep =
  | { readonly kind: "dropped"; readonly month: string }
  | { readonly kind: "forgot" | "in_use" | "done" };

/** Whether a booking failed for want of a month, so that {@link UsageMonths.makeFor} may help. */
export function isMonthMissing(thrown: unknown): boolean {
  return sqlStateOf(thrown) === CHECK_VIOLATION;
}

/** The months that usage is kept in, each of which can be dropped as a whole. */
export class UsageMonths {
  readonly #db: Pick<Database, "execute">;

  constructor(db: Pick<Database, "execute">) {
    this.#db = db;
  }

  /** Makes this month and the next, unless they are there. */
  async makeAhead(): Promise<void> {
    await this.#db.execute(sql`
      select make_usage_month(now()), make_usage_month(date_trunc('month', now(), 'UTC') + interval '32 days')`);
  }

  /** Makes the months of records in the form of `src/domain/usage-line.ts`, but for those that were dropped. */
  async makeFor(lines: readonly string[]): Promise<void> {
    await this.#db.execute(sql`
      select make_usage_month(month)
      from (
        select distinct date_trunc('month', to_timestamp(created_at_ms / 1000.0), 'UTC') as month
        from json_to_recordset((${`[${lines.join(",")}]`}::text)::json) as line (created_at_ms bigint)
        order by 1
      ) months`);
  }

  /** Does one step of dropping what ended at least `monthsKept` months ago, by the clock of the database. */
  async dropOne(monthsKept: number): Promise<DropStep> {
    try {
      const [row] = await this.#db.execute<{ month: string | null }>(
        sql`select drop_usage_month(${monthsKept}::integer) as month`,
      );
      if (typeof row?.month === "string") return { kind: "dropped", month: row.month };
      return { kind: (await this.#forgetSome()) ? "forgot" : "done" };
    } catch (thrown) {
      if (sqlStateOf(thrown) === LOCK_NOT_AVAILABLE) return { kind: "in_use" };
      throw thrown;
    }
  }

  async #forgetSome(): Promise<boolean> {
    const dropped: SQL = sql`
      select ctid from ${usageRequests}
      where created_at < (select dropped_before from ${usageHorizon}) limit ${FORGOTTEN_AT_ONCE}`;
    const forgotten = await this.#db.execute(
      sql`delete from ${usageRequests} where ctid = any(array(${dropped}))`,
    );
    return forgotten.count === FORGOTTEN_AT_ONCE;
  }
}
