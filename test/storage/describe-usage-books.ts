import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { usageLine } from "#domain/usage-line.ts";
import { USAGE_STATUSES, type UsageRecord } from "#domain/usage-record.ts";
import { openPostgres } from "#storage/engines/postgres.ts";
import { migrate } from "#storage/migrate.ts";
import { SLICES } from "#storage/repositories/usage-slices.ts";
import { isDataRefused } from "#storage/server-error.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import type { TestServer } from "#support/servers.ts";
import { Shuffle } from "../coordination/shuffle.ts";
import { newCast, recordOf } from "./records.ts";

const START_MS_MAX = 60_000;
const PAGE = { limit: 100 };
const NEW_YEAR = Date.UTC(2031, 0, 1);
const MONTH_MS = 31 * 86_400_000;
const SEEDS = [1, 2, 3];

/** What every engine promises about the months that usage is kept in, and about its sums by day. */
export function describeUsageBooks(engine: string, start: () => Promise<TestServer>): void {
  describe(`the books of usage on ${engine}`, () => {
    let server: TestServer;
    let storage: Storage;
    let direct: ReturnType<typeof openPostgres>;

    beforeAll(async () => {
      server = await start();
      await migrate(server.url);
      storage = openStorage(server.url, { connectionsMax: 3 });
      direct = openPostgres(server.url, { connectionsMax: 1, statementMsMax: 10_000 });
    }, START_MS_MAX);

    afterAll(async () => {
      await storage?.close();
      await direct?.close();
      await server?.close();
    }, START_MS_MAX);

    const book = (records: readonly UsageRecord[]) => storage.usage.book(records.map(usageLine));
    const months = async () => {
      const rows = await direct.db.execute<{ name: string }>(
        sql`select inhrelid::regclass::text as name from pg_inherits where inhparent = 'usage'::regclass order by 1`,
      );
      return rows.map(({ name }) => name.replace("usage_", ""));
    };
    const count = async (table: string, requestId: string) => {
      const rows = await direct.db.execute(
        sql`select 1 from ${sql.identifier(table)} where request_id = ${requestId}`,
      );
      return rows.length;
    };

    test("a request is filed in the month in which it arrived in UTC, to the millisecond", async () => {
      const cast = await newCast(storage);
      const last = recordOf(cast, { createdAtMs: NEW_YEAR - 1 });
      const first = recordOf(cast, { createdAtMs: NEW_YEAR });
      expect((await book([last, first])).inserted).toBe(2);
      expect(await months()).toContain("2030_12");
      expect(await count("usage_2030_12", last.requestId)).toBe(1);
      expect(await count("usage_2031_01", first.requestId)).toBe(1);
    });

    test("a request is booked once, also where a second record puts it into another month", async () => {
      const cast = await newCast(storage);
      const record = recordOf(cast, { createdAtMs: NEW_YEAR - 1 });
      const moved = { ...record, createdAtMs: NEW_YEAR };
      expect((await book([record])).inserted).toBe(1);
      const again = await book([record, moved]);
      expect([again.inserted, again.conflicts]).toEqual([0, 1]);
      const { rows } = await storage.usage.list({ requestId: record.requestId }, PAGE);
      expect(rows.map(({ createdAtMs }) => createdAtMs)).toEqual([record.createdAtMs]);
      expect((await storage.users.get(cast.userId))?.balanceNanos).toBe(999_999_999n);
    });

    test("two records of a request in two months, booked at once from many sides, are one and a conflict", async () => {
      const cast = await newCast(storage);
      const record = recordOf(cast, { createdAtMs: Date.UTC(2033, 4, 1) - 1 });
      const moved = { ...record, createdAtMs: Date.UTC(2033, 4, 1) };
      const bookings = await Promise.all([record, moved, record, moved, moved].map((one) => book([one])));
      expect(bookings.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(1);
      expect(bookings.reduce((sum, { conflicts }) => sum + conflicts, 0)).toBe(1);
      expect((await storage.users.get(cast.userId))?.balanceNanos).toBe(999_999_999n);
    });

    test("months are made by many bookers at once, and this one and the next ahead", async () => {
      const cast = await newCast(storage);
      const records = Array.from({ length: 12 }, (_, month) =>
        recordOf(cast, { createdAtMs: Date.UTC(2035, month, 15) }),
      );
      const bookings = await Promise.all([book(records), book([...records].reverse()), book(records)]);
      expect(bookings.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(12);
      await Promise.all([storage.usage.months.makeAhead(), storage.usage.months.makeAhead()]);
      const now = new Date();
      const ahead = [0, 1].map((more) =>
        new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + more)).toISOString().slice(0, 7),
      );
      expect(await months()).toEqual(expect.arrayContaining(ahead.map((month) => month.replace("-", "_"))));
    });

    test.each(SEEDS)(
      "the sums of every slice are those of the rows, to the nano-dollar (seed %d)",
      async (seed) => {
        const casts = await Promise.all(Array.from({ length: 4 }, () => newCast(storage)));
        const shuffle = new Shuffle(seed);
        const filed: UsageRecord[] = [];
        for (let round = 0; round < 12; round++) {
          const batches = Array.from({ length: 3 }, () =>
            Array.from({ length: 1 + shuffle.below(15) }, () => randomRecord(casts, shuffle, filed)),
          );
          filed.push(...batches.flat());
          await Promise.all([...batches, batches[0] ?? []].map(book));
        }
        const slices = await direct.db.execute<{ slice: string }>(sql.raw(SLICE_SUMS));
        const names = [
          ...Object.keys(SLICES),
          "key_month",
          "key_model_month",
          "key_account_month",
          "full_month",
        ];
        expect(slices.map(({ slice }) => slice).sort()).toEqual(names.sort());
        const [rows] = await direct.db.execute<{ sums: string }>(sql.raw(ROW_SUMS));
        for (const { slice, ...sums } of slices) expect([slice, sums]).toEqual([slice, { ...rows }]);
        const [wrong] = await direct.db.execute<{ wrong: number }>(sql.raw(WRONG_ROWS));
        expect(wrong?.wrong).toBe(0);
      },
    );

    test.each(SEEDS)("sums over any days are those of the rows, months or not (seed %d)", async (seed) => {
      const casts = await Promise.all(Array.from({ length: 2 }, () => newCast(storage)));
      const shuffle = new Shuffle(seed);
      const dayMs = (nth: number): number => Date.UTC(2050 + seed, 0, 1 + nth);
      const records = Array.from({ length: 300 }, () =>
        recordOf(casts[shuffle.below(2)] as (typeof casts)[0], {
          createdAtMs: dayMs(shuffle.below(150)),
          costNanos: BigInt(shuffle.below(1_000)),
        }),
      );
      await book(records);
      const accountId = casts[0]?.accountId;
      for (let nth = 0; nth < 40; nth++) {
        const [one, other] = [shuffle.below(150), shuffle.below(150)];
        const [from, to] = [dayMs(Math.min(one, other)), dayMs(Math.max(one, other))];
        const days = { fromDay: dayOf(from), toDay: dayOf(to) };
        const fits = records.filter(
          (record) =>
            record.accountId === accountId && record.createdAtMs >= from && record.createdAtMs <= to,
        );
        const cost = fits.reduce((sum, { costNanos = 0n }) => sum + costNanos, 0n);
        const sums = await storage.usageAggregates.list("user", { accountId, ...days }, 10);
        expect([sums[0]?.requests ?? 0, sums[0]?.costNanos ?? 0n]).toEqual([fits.length, cost]);
      }
    });

    test("a month that somebody reads is not waited for long", async () => {
      const cast = await newCast(storage);
      await book([recordOf(cast, { createdAtMs: Date.UTC(2001, 1, 1) })]);
      if (engine !== "PostgreSQL") return;
      await direct.db.transaction(async (reader) => {
        await reader.execute(sql`select 1 from usage limit 1`);
        expect(await storage.usage.months.dropOne(240)).toEqual({ kind: "in_use" });
        expect((await book([recordOf(cast)])).inserted).toBe(1);
      });
      expect(await storage.usage.months.dropOne(240)).toMatchObject({ kind: "dropped" });
    });

    test("dropped months take their rows along, leave the sums, and are never booked into again", async () => {
      const cast = await newCast(storage);
      const now = new Date();
      const begin = (monthsAgo: number) => Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - monthsAgo);
      const old = recordOf(cast, { createdAtMs: begin(2) - 1, costNanos: 5n });
      const kept = recordOf(cast, { createdAtMs: begin(2), costNanos: 7n });
      await book([old, kept]);
      const before = await direct.db.execute<Record<string, unknown>>(sql.raw(SLICE_SUMS));
      const dropped: string[] = [];
      for (let step = await storage.usage.months.dropOne(2); step.kind !== "done"; ) {
        if (step.kind === "dropped") dropped.push(step.month);
        step = await storage.usage.months.dropOne(2);
      }
      expect(dropped).toContain(new Date(old.createdAtMs).toISOString().slice(0, 7).replace("-", "_"));
      expect((await months())[0]).toBe(new Date(begin(2)).toISOString().slice(0, 7).replace("-", "_"));
      const { rows } = await storage.usage.list({ userId: cast.userId }, PAGE);
      expect(rows.map(({ requestId }) => requestId)).toEqual([kept.requestId]);
      expect(await count("usage_requests", old.requestId)).toBe(0);
      expect(await direct.db.execute<Record<string, unknown>>(sql.raw(SLICE_SUMS))).toEqual(before);

      const late = recordOf(cast, { createdAtMs: begin(2) - MONTH_MS });
      for (const record of [old, late]) {
        const thrown = await book([record, kept]).catch((error: unknown) => error);
        expect(isDataRefused(thrown)).toBe(true);
      }
      // Keeping more from now on brings nothing back, and must not book anything twice.
      expect(await storage.usage.months.dropOne(24)).toEqual({ kind: "done" });
      expect(isDataRefused(await book([old]).catch((error: unknown) => error))).toBe(true);
      expect((await storage.users.get(cast.userId))?.balanceNanos).toBe(1_000_000_000n - 12n);
    });
  });
}

function randomRecord(
  casts: readonly Parameters<typeof recordOf>[0][],
  shuffle: Shuffle,
  filed: readonly UsageRecord[],
): UsageRecord {
  const known = filed[shuffle.below(4 * filed.length + 1)];
  if (known !== undefined) return shuffle.below(3) === 0 ? { ...known, costNanos: 77n } : known;
  const [key, server] = [0, 1].map(() => casts[shuffle.below(casts.length)] as (typeof casts)[0]);
  const costNanos = shuffle.below(5) === 0 ? undefined : BigInt(shuffle.below(2 ** 40));
  return recordOf(key as (typeof casts)[0], {
    accountId: shuffle.below(6) === 0 ? undefined : server?.accountId,
    model: `model-${shuffle.below(3)}`,
    createdAtMs: Date.UTC(2040, 0, 29) + shuffle.below(6 * 86_400_000),
    costNanos,
    listCostNanos: shuffle.below(3) === 0 ? BigInt(shuffle.below(2 ** 40)) : undefined,
    accountCostNanos: shuffle.below(3) === 0 ? BigInt(shuffle.below(2 ** 40)) : undefined,
    status: USAGE_STATUSES[shuffle.below(USAGE_STATUSES.length)] ?? "completed",
    inputTokens: shuffle.below(1_000),
    outputTokens: shuffle.below(1_000),
    cacheCreationTokens: shuffle.below(1_000),
    cacheCreation5mTokens: shuffle.below(1_000),
    cacheCreation1hTokens: shuffle.below(1_000),
    cacheReadTokens: shuffle.below(1_000),
    durationMs: shuffle.below(1_000),
  });
}

const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10);

const NAMES = [
  "input_tokens",
  "output_tokens",
  "cache_creation_tokens",
  "cache_creation_5m_tokens",
  "cache_creation_1h_tokens",
  "cache_read_tokens",
  "cost_nanos",
  "duration_ms",
];
const PLAIN = NAMES.map((name) => `coalesce(sum(${name}), 0) as ${name}`).join(", ");
const SLICE_SUMS = `
  select slice, ${PLAIN}, sum(requests) as requests, sum(errors) as errors, sum(list_cost_nanos) as list,
    sum(account_cost_nanos) as account
  from usage_daily where day >= '2040-01-01' group by slice order by slice`;
const ROW_SUMS = `
  select ${PLAIN}, count(*)::numeric as requests,
    sum((status in ('upstream_broke', 'upstream_stalled', 'failed'))::integer)::numeric as errors,
    sum(coalesce(list_cost_nanos, cost_nanos, 0)) as list, sum(coalesce(account_cost_nanos, cost_nanos, 0)) as account
  from usage where created_at >= '2040-01-01 00:00:00+00'`;
/** Rows of the finest slice that are not what the usage of their day, key, account and model adds up to. */
const WRONG_ROWS = `
  select count(*)::integer as wrong
  from (
    select day, user_id, api_key_id, group_id, account_id, model, requests::numeric, cost_nanos::numeric
    from usage_daily where slice = 'full' and day >= '2040-01-01'
  ) kept
  full join (
    select (created_at at time zone 'UTC')::date as day, user_id, api_key_id, group_id,
      coalesce(account_id, 0) as account_id, model, count(*)::numeric as requests, coalesce(sum(cost_nanos), 0) as cost_nanos
    from usage where created_at >= '2040-01-01 00:00:00+00' group by 1, 2, 3, 4, 5, 6
  ) filed using (day, user_id, api_key_id, group_id, account_id, model, requests, cost_nanos)
  where (kept is null) <> (filed is null)`;
