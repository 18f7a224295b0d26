import { expect, test } from "bun:test";
import type { ApiKeyId } from "#domain/ids.ts";
import { StatisticsReader } from "#http/key-usage/statistics.ts";
import type { KeySummary } from "#storage/repositories/key-statistics.ts";

const ID = 1 as ApiKeyId;
const TIMES = { todayMs: 0, models: { fromMs: 0, toMs: 1 } };
const SUMMARY = {} as KeySummary;

test("statistics are read one at a time, and those beyond the bound are left out at once", async () => {
  const gate = Promise.withResolvers<void>();
  let [underWay, most, failures] = [0, 0, 1];
  const warned: string[] = [];
  const log = { warn: (event: string) => void warned.push(event) };
  const reader = new StatisticsReader({
    repository: {
      summary: async () => {
        most = Math.max(most, ++underWay);
        await gate.promise;
        underWay--;
        if (failures-- > 0) throw new Error("no database");
        return SUMMARY;
      },
      byModel: async () => [],
    },
    flushLedger: async () => undefined,
    clock: { now: () => 0 },
    log: log as never,
  });
  const reads = Array.from({ length: 8 }, () => reader.read(ID, TIMES));
  expect(await reader.read(ID, TIMES)).toBeUndefined();
  expect(warned).toHaveLength(1);
  gate.resolve();
  const [failed, ...others] = await Promise.all(reads);
  expect(failed).toBeUndefined();
  expect(others).toEqual(Array.from({ length: 7 }, () => ({ summary: SUMMARY, models: [] })));
  expect([most, warned.length]).toEqual([1, 2]);
  expect(await reader.read(ID, TIMES)).toEqual({ summary: SUMMARY, models: [] });
});
