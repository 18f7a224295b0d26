import { and, desc, eq, gte, lt, type SQL, sql } from "drizzle-orm";
import type { ApiKeyId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { usage } from "#storage/schema/usage.ts";

/** Most models that are told apart; those with the fewest tokens are left out. */
const MODELS_MAX = 100;

/** What a number of requests used and cost. */
export interface UsageTotals {
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheCreationTokens: number;
  readonly cacheReadTokens: number;
  /** All four kinds. */
  readonly totalTokens: number;
  /** As charged, in nano-dollars; requests without a known price count as nothing. */
  readonly costNanos: bigint;
}

/** What an API key's requests used and cost. */
export interface KeySummary {
  readonly total: UsageTotals;
  readonly today: UsageTotals;
  readonly recent: Pick<UsageTotals, "requests" | "totalTokens">;
  /** Mean time from arrival to end in milliseconds; 0 without requests. */
  readonly averageDurationMs: number;
}

/** What an API key's requests for one model, as the client asked, used and cost. */
export interface ModelTotals extends UsageTotals {
  readonly model: string;
}

/** A stretch of time in which requests arrived, in milliseconds since the Unix epoch; the end is not in it. */
export interface UsageStretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What the usage on record of single API keys adds up to. */
export class KeyStatisticsRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Everything a key has used, and of it what arrived since two moments in milliseconds since the Unix epoch. */
  async summary(
    id: ApiKeyId,
    { todayMs, recentMs }: { readonly todayMs: number; readonly recentMs: number },
  ): Promise<KeySummary> {
    const recent = totals(gte(usage.createdAtMs, recentMs));
    const [summary] = await this.#db
      .select({
        total: totals(sql`true`),
        today: totals(gte(usage.createdAtMs, todayMs)),
        recent: { requests: recent.requests, totalTokens: recent.totalTokens },
        averageDurationMs: sql<number>`coalesce(avg(${usage.durationMs}), 0)`.mapWith(Number),
      })
      .from(usage)
      .where(eq(usage.apiKeyId, id));
    if (summary === undefined) throw new Error("an aggregate always has one row");
    return summary;
  }

  /** What a key has used of each model in a stretch of time, most tokens first. */
  async byModel(id: ApiKeyId, { fromMs, toMs }: UsageStretch): Promise<readonly ModelTotals[]> {
    const sums = totals(sql`true`);
    return await this.#db
      .select({ model: usage.model, ...sums })
      .from(usage)
      .where(and(eq(usage.apiKeyId, id), gte(usage.createdAtMs, fromMs), lt(usage.createdAtMs, toMs)))
      .groupBy(usage.model)
      .orderBy(desc(sums.totalTokens), usage.model)
      .limit(MODELS_MAX);
  }
}

function totals(condition: SQL) {
  const { inputTokens, outputTokens, cacheCreationTokens, cacheReadTokens, costNanos } = usage;
  const sum = (what: SQL) => sql`coalesce(sum(${what}) filter (where ${condition}), 0)`;
  const tokens = (what: SQL) => sum(what).mapWith(Number);
  return {
    requests: sql`count(*) filter (where ${condition})`.mapWith(Number),
    inputTokens: tokens(sql`${inputTokens}`),
    outputTokens: tokens(sql`${outputTokens}`),
    cacheCreationTokens: tokens(sql`${cacheCreationTokens}`),
    cacheReadTokens: tokens(sql`${cacheReadTokens}`),
    totalTokens: tokens(sql`${inputTokens} + ${outputTokens} + ${cacheCreationTokens} + ${cacheReadTokens}`),
    costNanos: sum(sql`${costNanos}`).mapWith(BigInt),
  };
}
