import { type SQL, sql } from "drizzle-orm";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { usageDaily } from "#storage/schema/usage-daily.ts";
import {
  DAILY_SUMS,
  type Dimension,
  monthlySlice,
  SLICES,
  type SumsAnswer,
  sumsOf,
  type UsageSums,
} from "./usage-slices.ts";

/** Days before and after every other, in PostgreSQL's words. */
const EVER = "-infinity";
const FOREVER = "infinity";

/** What usage can be added up by, with the column that holds it. */
const COLUMNS = {
  day: "day",
  model: "model",
  user: "user_id",
  api_key: "api_key_id",
  group: "group_id",
  account: "account_id",
} as const satisfies Record<string, Dimension | "day">;

/** What usage can be added up by. */
export type AggregateBy = keyof typeof COLUMNS;

/** Which requests are added up: those that fit every condition given. */
export interface AggregateFilter {
  readonly userId?: UserId | undefined;
  readonly apiKeyId?: ApiKeyId | undefined;
  readonly groupId?: GroupId | undefined;
  readonly accountId?: AccountId | undefined;
  /** As the client asked. */
  readonly model?: string | undefined;
  /** The first UTC day, such as `2027-01-31`. */
  readonly fromDay?: string | undefined;
  /** The last UTC day. */
  readonly toDay?: string | undefined;
}

/** What requests that have one thing in common used and cost. */
export interface UsageAggregate extends UsageSums {
  /** The day such as `2027-01-31`, the model, or the id in digits; `0` for requests that no account served. */
  readonly of: string;
}

/** What usage adds up to, by whole UTC days. Days whose rows were dropped count too. */
export class UsageAggregateRepository {
  readonly #db: Pick<Database, "execute">;

  constructor(db: Pick<Database, "execute">) {
    this.#db = db;
  }

  /** At most `limit` sums: the newest days first, else the dearest first. */
  async list(by: AggregateBy, filter: AggregateFilter, limit: number): Promise<readonly UsageAggregate[]> {
    const column = sql.raw(COLUMNS[by]);
    const order = by === "day" ? sql`day desc` : sql`sum(cost_nanos) desc, sum(requests) desc, ${column}`;
    const rows = await this.#db.execute<SumsAnswer & { readonly of: string }>(sql`
      select ${column}::text as of, ${DAILY_SUMS} from ${usageDaily}
      where ${sql.join([...conditionsOf(by, filter)], sql` and `)}
      group by ${column} order by ${order} limit ${limit}`);
    return rows.map((row) => ({ of: row.of, ...sumsOf(row) }));
  }
}

function conditionsOf(by: AggregateBy, filter: AggregateFilter): readonly SQL[] {
  const asked: readonly (readonly [Dimension, number | string | undefined])[] = [
    ["user_id", filter.userId],
    ["api_key_id", filter.apiKeyId],
    ["group_id", filter.groupId],
    ["account_id", filter.accountId],
    ["model", filter.model],
  ];
  const named = asked.filter(([, value]) => value !== undefined);
  const needed = new Set<string>(named.map(([dimension]) => dimension));
  if (by !== "day") needed.add(COLUMNS[by]);
  const slice = smallestSlice(needed);
  return [
    by === "day" ? withinDays(slice, filter) : withinMonths(slice, filter),
    ...named.map(([dimension, value]) => sql`${sql.raw(dimension)} = ${value}`),
  ];
}

function withinDays(slice: string, { fromDay = EVER, toDay = FOREVER }: AggregateFilter): SQL {
  return sql`slice = ${slice} and day >= ${fromDay}::date and day <= ${toDay}::date`;
}

/** Whole months where they are added up, and the days before and after them. */
function withinMonths(slice: keyof typeof SLICES, filter: AggregateFilter): SQL {
  const monthly = monthlySlice(slice);
  if (monthly === undefined) return withinDays(slice, filter);
  const { fromDay = EVER, toDay = FOREVER } = filter;
  const first =
    filter.fromDay === undefined
      ? sql`${EVER}::date`
      : sql`(date_trunc('month', ${fromDay}::date - 1) + interval '1 month')::date`;
  const end =
    filter.toDay === undefined ? sql`${FOREVER}::date` : sql`date_trunc('month', ${toDay}::date + 1)::date`;
  return sql`(
    (slice = ${monthly} and day >= ${first} and day < ${end})
    or (slice = ${slice} and day >= ${fromDay}::date and day <= ${toDay}::date and day < ${first})
    or (slice = ${slice} and day >= ${first} and day <= ${toDay}::date and day >= ${end}))`;
}

/** Slices are in the order of their size, and the last one tells everything apart. */
function smallestSlice(needed: ReadonlySet<string>): keyof typeof SLICES {
  const slices = Object.keys(SLICES) as (keyof typeof SLICES)[];
  return slices.find((slice) => needed.isSubsetOf(new Set<string>(SLICES[slice]))) ?? "full";
}
