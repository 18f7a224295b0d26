import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import { migrate } from "#storage/migrate.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import type { TestServer } from "#support/servers.ts";
import { newCast, recordOf } from "./records.ts";

const START_MS_MAX = 60_000;
const NOON = Date.UTC(2026, 0, 2, 12);
const ALL_TIME = { fromMs: 0, toMs: Date.UTC(2100, 0, 1) };

/** What every engine promises about what the usage of a key adds up to. */
export function describeKeyStatistics(engine: string, start: () => Promise<TestServer>): void {
  describe(`what a key has used on ${engine}`, () => {
    let server: TestServer;
    let storage: Storage;

    beforeAll(async () => {
      server = await start();
      await migrate(server.url);
      storage = openStorage(server.url, { connectionsMax: 2 });
    }, START_MS_MAX);

    afterAll(async () => {
      await storage?.close();
      await server?.close();
    }, START_MS_MAX);

    /** The key of a cast of its own, with usage on record. */
    const keyWith = async (changes: readonly Partial<UsageRecord>[]) => {
      const cast = await newCast(storage);
      await storage.usage.book(changes.map((change) => usageLine(recordOf(cast, change))));
      return cast.apiKeyId;
    };

    test("is exact beyond what a double holds, and leaves out costs that are not known", async () => {
      const costNanos = 2n ** 53n + 1n;
      const id = await keyWith([{ costNanos }, { costNanos: 1n }, { costNanos: undefined, inputTokens: 3 }]);
      const { total } = await storage.keyStatistics.summary(id, { todayMs: 0, recentMs: 0 });
      expect([total.requests, total.inputTokens, total.costNanos]).toEqual([3, 3, costNanos + 1n]);
    });

    test("counts a request from the very moment a stretch begins, up to just before it ends", async () => {
      const id = await keyWith([{ createdAtMs: NOON - 1 }, { createdAtMs: NOON }, { createdAtMs: NOON + 1 }]);
      const { today, recent, total } = await storage.keyStatistics.summary(id, {
        todayMs: NOON,
        recentMs: NOON + 1,
      });
      expect([today.requests, recent.requests, total.requests]).toEqual([2, 1, 3]);
      const models = await storage.keyStatistics.byModel(id, { fromMs: NOON - 1, toMs: NOON + 1 });
      expect(models.map(({ requests }) => requests)).toEqual([2]);
    });

    test("is the same from days that are added up and from the parts of days at both ends", async () => {
      const hours = Array.from({ length: 100 }, (_, hour) => NOON + hour * 3_600_000);
      const id = await keyWith(hours.map((createdAtMs) => ({ createdAtMs, inputTokens: 1 })));
      const within = (fromMs: number, toMs: number) =>
        hours.filter((hour) => fromMs <= hour && hour < toMs).length;
      const ends = [0, 1, 11, 12, 13, 35, 36, 37, 60, 84, 100].map((hour) => NOON + hour * 3_600_000);
      for (const fromMs of ends) {
        const { today } = await storage.keyStatistics.summary(id, { todayMs: fromMs, recentMs: fromMs });
        expect(today.requests).toBe(within(fromMs, ALL_TIME.toMs));
        for (const toMs of ends.filter((end) => end > fromMs)) {
          const models = await storage.keyStatistics.byModel(id, { fromMs, toMs });
          expect(models[0]?.inputTokens).toBe(within(fromMs, toMs));
        }
      }
    });

    test("by model adds up to all, most tokens first, and to nothing of other keys", async () => {
      const other = await keyWith([{ model: "a", outputTokens: 1_000 }]);
      const id = await keyWith([
        { model: "a", inputTokens: 1, cacheReadTokens: 2 },
        { model: "b", outputTokens: 4, cacheCreationTokens: 8 },
        { model: "a'; drop table usage; --", inputTokens: 4 },
        { model: "a", inputTokens: 1 },
      ]);
      const models = await storage.keyStatistics.byModel(id, ALL_TIME);
      expect(models.map(({ model, requests, totalTokens }) => [model, requests, totalTokens])).toEqual([
        ["b", 1, 12],
        ["a", 2, 4],
        ["a'; drop table usage; --", 1, 4],
      ]);
      const { total } = await storage.keyStatistics.summary(id, { todayMs: NOON, recentMs: NOON });
      expect(total.totalTokens).toBe(20);
      expect(await storage.keyStatistics.byModel(other, ALL_TIME)).toHaveLength(1);
    });

    test("is nothing for a key that was never used", async () => {
      const id = await keyWith([]);
      const { total, averageDurationMs } = await storage.keyStatistics.summary(id, {
        todayMs: 0,
        recentMs: 0,
      });
      expect([total.requests, total.totalTokens, total.costNanos, averageDurationMs]).toEqual([0, 0, 0n, 0]);
      expect(await storage.keyStatistics.byModel(id, ALL_TIME)).toEqual([]);
    });
  });
}
