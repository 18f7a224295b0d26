import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import { openPostgres } from "#storage/engines/postgres.ts";
import { KeyStatisticsRepository } from "#storage/repositories/key-statistics.ts";
import { type UsageFilter, UsageRepository } from "#storage/repositories/usage.ts";
import {
  type AggregateBy,
  type AggregateFilter,
  UsageAggregateRepository,
} from "#storage/repositories/usage-aggregates.ts";
import type { BenchRun } from "./bench-run.ts";
import { percentiles } from "./percentiles.ts";
import { dropDatabase, type UsageDatabase, usageDatabase } from "./usage-database.ts";

const NAME = "sluice_usage_bench";
const ROWS = Number(process.env["BENCH_USAGE_ROWS"] ?? 5_000_000);
const RUNS = 50;
const P95_MS_MAX = 200;
const SCANNED_ROWS_MAX = 100_000;
const STATEMENT_MS_MAX = 10_000;
const DAY_MS = 86_400_000;
const PAGE_ROWS = 50;

/** Of the user with the most rows. */
const HEAVY = {
  userId: 1 as UserId,
  apiKeyId: 3 as ApiKeyId,
  groupId: 2 as GroupId,
  accountId: 4 as AccountId,
  subscriptionId: 3 as SubscriptionId,
  model: "model-0",
};
const AGGREGATES: readonly AggregateBy[] = ["day", "model", "user", "api_key", "group", "account"];

/** One page that an admin or a key may ask for. */
interface Asked {
  readonly name: string;
  readonly read: () => Promise<unknown>;
}

/**
 * Every page of usage over millions of rows: how long it takes, and how much the database reads for it by going
 * through tables from end to end, as the server itself counts. `BENCH_USAGE_DROP=1` drops the database afterwards,
 * which is kept for the next run otherwise.
 *
 * @throws Error when a page is slower than it may be, or reads too much.
 */
export async function usagePages({ say: print }: BenchRun): Promise<void> {
  const database = await usageDatabase(NAME, ROWS, print);
  if (database === undefined) {
    print("BENCH_DATABASE_URL is not set");
    return;
  }
  const { db, close } = openPostgres(database.url, { connectionsMax: 1, statementMsMax: STATEMENT_MS_MAX });
  const failures: string[] = [];
  for (const asked of pagesOf(db, database)) {
    const { shown, isWithinBounds } = await measured(asked, db);
    if (!isWithinBounds) failures.push(asked.name);
    print(shown);
  }
  await close();
  if (process.env["BENCH_USAGE_DROP"] === "1") await dropDatabase(NAME);
  if (failures.length > 0)
    throw new Error(`pages that are too slow or read too much: ${failures.join("; ")}`);
  print(
    `every page below ${P95_MS_MAX} ms at p95, and none with sequential scans over ${SCANNED_ROWS_MAX} rows`,
  );
}

async function measured(asked: Asked, db: Db): Promise<{ shown: string; isWithinBounds: boolean }> {
  const before = await rowsScanned(db);
  const { p50, p95 } = percentiles(await timesOf(asked));
  const scanned = ((await rowsScanned(db)) - before) / RUNS;
  const faults = [
    ...(p95 < P95_MS_MAX ? [] : ["TOO SLOW"]),
    ...(scanned < SCANNED_ROWS_MAX ? [] : [`SCANS ${scanned} ROWS`]),
  ];
  const shown = ["p50", ms(p50), "p95", ms(p95), "", asked.name, ...faults].join(" ");
  return { shown, isWithinBounds: faults.length === 0 };
}

type Db = ConstructorParameters<typeof UsageRepository>[0];

function pagesOf(db: Db, database: UsageDatabase): readonly Asked[] {
  return [...listPages(db, database), ...aggregatePages(db, database), ...keyPages(db, database)];
}

function listPages(db: Db, { fromMs, toMs }: UsageDatabase): readonly Asked[] {
  const usage = new UsageRepository(db);
  const middleMs = Math.round((fromMs + toMs) / 2);
  const deep = { createdAtMs: Math.round(fromMs + (toMs - fromMs) / 10), id: 1 };
  const filters: readonly (readonly [string, UsageFilter])[] = [
    ["no filter", {}],
    ["user_id of many rows", { userId: HEAVY.userId }],
    ["user_id of few rows", { userId: 100 as UserId }],
    ["api_key_id", { apiKeyId: HEAVY.apiKeyId }],
    ["group_id", { groupId: HEAVY.groupId }],
    ["account_id", { accountId: HEAVY.accountId }],
    ["subscription_id", { subscriptionId: HEAVY.subscriptionId }],
    ["model of many rows", { model: HEAVY.model }],
    ["model of few rows", { model: "model-9" }],
    ["model of no row", { model: "model-x" }],
    ["status completed", { status: "completed" }],
    ["status failed", { status: "failed" }],
    ["status upstream_stalled", { status: "upstream_stalled" }],
    ["status upstream_broke, of no row", { status: "upstream_broke" }],
    ["request_id of ours", { requestId: `req_${(ROWS - 5).toString(16).padStart(32, "0")}` }],
    ["request_id of the upstream", { requestId: `msg_${"5".padStart(24, "0")}` }],
    ["request_id of nobody", { requestId: "req_x" }],
    ["from and to, one day", { fromMs: middleMs, toMs: middleMs + DAY_MS }],
    ["to, long ago", { toMs: fromMs + DAY_MS }],
    [
      "user_id, model and one month",
      { ...pick("userId", "model"), fromMs: middleMs, toMs: middleMs + 30 * DAY_MS },
    ],
    ["everything", { ...HEAVY, subscriptionId: undefined, status: "completed", fromMs, toMs }],
  ];
  return filters.flatMap(([name, filter]) => [
    { name: `list: ${name}`, read: () => usage.list(filter, { limit: PAGE_ROWS }) },
    { name: `list, deep page: ${name}`, read: () => usage.list(filter, { limit: PAGE_ROWS, before: deep }) },
  ]);
}

function aggregatePages(db: Db, { toMs }: UsageDatabase): readonly Asked[] {
  const aggregates = new UsageAggregateRepository(db);
  const month: AggregateFilter = { fromDay: dayOf(toMs - 29 * DAY_MS), toDay: dayOf(toMs) };
  const filters: readonly (readonly [string, AggregateFilter])[] = [
    ["no filter", {}],
    ["user_id", pick("userId")],
    ["api_key_id", pick("apiKeyId")],
    ["group_id", pick("groupId")],
    ["account_id", pick("accountId")],
    ["model", pick("model")],
    ["user_id, account_id and model", pick("userId", "accountId", "model")],
  ];
  return AGGREGATES.flatMap((by) =>
    filters.flatMap(([name, filter]) => [
      {
        name: `aggregate by ${by}: ${name}`,
        read: () => aggregates.list(by, { ...filter, ...month }, 100),
      },
      {
        name: `aggregate by ${by}, all months: ${name}`,
        read: () => aggregates.list(by, filter, 100),
      },
    ]),
  );
}

function keyPages(db: Db, { fromMs, toMs }: UsageDatabase): readonly Asked[] {
  const statistics = new KeyStatisticsRepository(db);
  const todayMs = Math.floor(toMs / DAY_MS) * DAY_MS - 7_200_000;
  const month = { fromMs: todayMs - 30 * DAY_MS, toMs };
  return [
    {
      name: "a key: in all, today, lately",
      read: () => statistics.summary(HEAVY.apiKeyId, { todayMs, recentMs: toMs - 300_000 }),
    },
    { name: "a key: by model, one month", read: () => statistics.byModel(HEAVY.apiKeyId, month) },
    { name: "a key: by model, all", read: () => statistics.byModel(HEAVY.apiKeyId, { fromMs, toMs }) },
  ];
}

function pick<Name extends keyof typeof HEAVY>(...names: Name[]): Pick<typeof HEAVY, Name> {
  return Object.fromEntries(names.map((name) => [name, HEAVY[name]])) as Pick<typeof HEAVY, Name>;
}

async function timesOf({ read }: Asked): Promise<readonly number[]> {
  const times: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const startedAt = performance.now();
    await read();
    times.push(performance.now() - startedAt);
  }
  return times;
}

/** How many rows sequential scans have read so far, over all tables. Sessions tell it late unless they are asked. */
async function rowsScanned(db: Db): Promise<number> {
  await db.execute("select pg_stat_force_next_flush()");
  const [row] = await db.execute<{ rows: string }>(
    "select coalesce(sum(seq_tup_read), 0) as rows from pg_stat_user_tables",
  );
  return Number(row?.rows);
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, "YYYY-MM-DD".length);
}

function ms(value: number): string {
  return `${value.toFixed(1).padStart(6)} ms`;
}
