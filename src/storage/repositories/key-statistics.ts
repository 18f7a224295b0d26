import { type SQL, sql } from "drizzle-orm";
import type { ApiKeyId } from "#domain/ids.ts";
import { isoTime } from "#kernel/clock.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { usage } from "#storage/schema/usage.ts";
import { usageDaily } from "#storage/schema/usage-daily.ts";
import {
  DAILY_SUMS,
  ROW_SUMS,
  SUM_COLUMNS,
  type SumsAnswer,
  sumsOf,
  type UsageSums,
} from "./usage-slices.ts";

/** Most models that are told apart; those with the fewest tokens are left out. */
const MODELS_MAX = 100;
const DAY_MS = 86_400_000;
/** The last day that the database is asked about, in milliseconds since the Unix epoch: that of the year 9999. */
const LAST_DAY_MS = 253_402_214_400_000;

/** What an API key's requests used and cost. */
export interface KeySummary {
  readonly total: UsageSums;
  readonly today: UsageSums;
  readonly recent: Pick<UsageSums, "requests" | "totalTokens">;
  /** Mean time from arrival to end in milliseconds; 0 without requests. */
  readonly averageDurationMs: number;
}

/** What an API key's requests for one model, as the client asked, used and cost. */
export interface ModelTotals extends UsageSums {
  readonly model: string;
}

/** A stretch of time in which requests arrived, in milliseconds since the Unix epoch; the end is not in it. */
export interface UsageStretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * What single API keys have used. Whole UTC days are taken from the sums by day, and what a stretch has besides them
 * from the rows, so answers are exact to the millisecond; only of days whose rows were dropped, parts count as
 * nothing.
 */
export class KeyStatisticsRepository {
  readonly #db: Pick<Database, "execute">;

  constructor(db: Pick<Database, "execute">) {
    this.#db = db;
  }

  /** Everything a key has used, and of it what arrived since two moments in milliseconds since the Unix epoch. */
  async summary(
    id: ApiKeyId,
    { todayMs, recentMs }: { readonly todayMs: number; readonly recentMs: number },
  ): Promise<KeySummary> {
    const sumsIn = (fromMs: number) => sql`
      select ${DAILY_SUMS} from (${partsOf(id, { fromMs, toMs: LAST_DAY_MS })}) parts`;
    // One statement sees one state of the books.
    const rows = await this.#db.execute<SumsAnswer & Record<string, unknown>>(sql`
      select * from (${sumsIn(0)}) total
      union all select * from (${sumsIn(todayMs)}) today
      union all select * from (${sumsIn(recentMs)}) recent`);
    const [total, today, recent] = rows.map(sumsOf);
    if (total === undefined || today === undefined || recent === undefined) {
      throw new Error("an aggregate always has one row");
    }
    const averageDurationMs = total.requests === 0 ? 0 : total.durationMs / total.requests;
    return { total, today, recent, averageDurationMs };
  }

  /** What a key has used of each model in a stretch of time, most tokens first. */
  async byModel(id: ApiKeyId, stretch: UsageStretch): Promise<readonly ModelTotals[]> {
    const rows = await this.#db.execute<SumsAnswer & { readonly model: string }>(sql`
      select model, ${DAILY_SUMS} from (${partsOf(id, stretch)}) parts
      group by model
      order by sum(input_tokens + output_tokens + cache_creation_tokens + cache_read_tokens) desc, model
      limit ${MODELS_MAX}`);
    return rows.map((row) => ({ model: row.model, ...sumsOf(row) }));
  }
}

/** Sums by model that add up to what a key used in a stretch of time. */
function partsOf(id: ApiKeyId, { fromMs, toMs }: UsageStretch): SQL {
  const firstDayMs = Math.ceil(fromMs / DAY_MS) * DAY_MS;
  const endDayMs = Math.floor(toMs / DAY_MS) * DAY_MS;
  if (firstDayMs >= endDayMs) return rowsIn(id, fromMs, toMs);
  return sql`
    select model, ${SUM_COLUMNS} from ${usageDaily}
    where slice = 'key_model' and api_key_id = ${id}
      and day >= ${dayOf(firstDayMs)}::date and day < ${dayOf(endDayMs)}::date
    union all ${rowsIn(id, fromMs, firstDayMs)}
    union all ${rowsIn(id, endDayMs, toMs)}`;
}

function rowsIn(id: ApiKeyId, fromMs: number, toMs: number): SQL {
  return sql`
    select model, ${ROW_SUMS} from ${usage}
    where api_key_id = ${id} and created_at >= ${isoTime(fromMs)} and created_at < ${isoTime(toMs)}
    group by model`;
}

function dayOf(ms: number): string {
  return isoTime(ms).slice(0, "YYYY-MM-DD".length);
}
