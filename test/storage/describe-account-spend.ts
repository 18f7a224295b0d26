import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AccountId } from "#domain/ids.ts";
import { QUARTER_MS } from "#domain/quarter-spend.ts";
import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import { type OpenDatabase, openDatabase } from "#storage/database.ts";
import { migrate } from "#storage/migrate.ts";
import { AccountSpendRepository } from "#storage/repositories/account-spend.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import type { TestServer } from "#support/servers.ts";
import { Shuffle } from "../coordination/shuffle.ts";
import { newCast, recordOf } from "./records.ts";

const START_MS_MAX = 60_000;
/** The beginning of a quarter of an hour. */
const QUARTER = Date.UTC(2026, 0, 2, 3, 15);

/** What every engine promises about what accounts cost. */
export function describeAccountSpend(engine: string, start: () => Promise<TestServer>): void {
  describe(`what accounts cost on ${engine}`, () => {
    let server: TestServer;
    let storage: Storage;
    let database: OpenDatabase;
    let repository: AccountSpendRepository;

    beforeAll(async () => {
      server = await start();
      await migrate(server.url);
      storage = openStorage(server.url, { connectionsMax: 4 });
      database = openDatabase(server.url, { connectionsMax: 1 });
      repository = new AccountSpendRepository(database.db);
    }, START_MS_MAX);

    afterAll(async () => {
      await storage?.close();
      await database?.close();
      await server?.close();
    }, START_MS_MAX);

    const book = (records: readonly UsageRecord[]) => storage.usage.book(records.map(usageLine));
    const storedOf = async (accountId: AccountId | undefined, fromMs: number) => {
      const { older, recent } = await repository.load(fromMs);
      return {
        older: older.filter((row) => row.accountId === accountId),
        recent: recent.filter((row) => row.accountId === accountId),
      };
    };

    test("is gathered by the quarter in which requests arrived, and a booking tells the sums", async () => {
      const cast = await newCast(storage);
      const { accountId } = cast;
      const at = (ms: number, costNanos: bigint) => recordOf(cast, { createdAtMs: QUARTER + ms, costNanos });
      const first = [at(0, 1n), at(QUARTER_MS - 1, 20n), at(QUARTER_MS, 300n), at(-1, 4_000n)];
      const { spends } = await book(first);
      const before = { accountId, quarterMs: QUARTER - QUARTER_MS, costNanos: 4_000 };
      const within = { accountId, quarterMs: QUARTER, costNanos: 21 };
      const after = { accountId, quarterMs: QUARTER + QUARTER_MS, costNanos: 300 };
      expect([...spends].sort((a, b) => a.quarterMs - b.quarterMs)).toEqual([before, within, after]);
      const second = await book([...first, at(1, 50_000n)]);
      expect(second.spends).toEqual([{ ...within, costNanos: 50_021 }]);
      expect(await storedOf(accountId, QUARTER)).toEqual({
        older: [{ accountId, costNanos: 4_000 }],
        recent: [{ ...within, costNanos: 50_021 }, after],
      });
      expect(await storedOf(accountId, QUARTER + 10 * QUARTER_MS)).toEqual({
        older: [{ accountId, costNanos: 54_321 }],
        recent: [],
      });
    });

    test("grows by nothing for a record without account, without price, or free", async () => {
      const cast = await newCast(storage);
      const { spends } = await book([
        recordOf({ ...cast, accountId: undefined }),
        recordOf(cast, { costNanos: undefined }),
        recordOf(cast, { costNanos: 0n }),
      ]);
      expect(spends).toEqual([]);
      expect(await storedOf(cast.accountId, 0)).toEqual({ older: [], recent: [] });
    });

    test("is untouched when a booking fails", async () => {
      const cast = await newCast(storage);
      await expect(book([recordOf(cast), recordOf(cast, { model: "not\u0000text" })])).rejects.toThrow();
      expect(await storedOf(cast.accountId, 0)).toEqual({ older: [], recent: [] });
    });

    test("is exact under bookings from all sides that share users, keys, accounts and records", async () => {
      const shuffle = new Shuffle(23);
      const casts = await Promise.all(Array.from({ length: 6 }, () => newCast(storage)));
      const pick = () => casts[shuffle.below(casts.length)] ?? casts[0];
      const records = Array.from({ length: 600 }, () =>
        recordOf(
          {
            userId: pick()?.userId ?? casts[0]?.userId,
            apiKeyId: pick()?.apiKeyId,
            groupId: pick()?.groupId,
            accountId: pick()?.accountId,
          } as UsageRecord,
          {
            costNanos: BigInt(1 + shuffle.below(1_000)),
            createdAtMs: QUARTER + shuffle.below(4 * QUARTER_MS),
          },
        ),
      );
      const bookings = Array.from({ length: 40 }, () =>
        Array.from({ length: 30 }, () => records[shuffle.below(records.length)] as UsageRecord),
      );
      await Promise.all([...bookings, records].map((some) => book(some)));
      for (const { accountId, userId } of casts) {
        const sum = (own: (record: UsageRecord) => boolean): number =>
          records.filter(own).reduce((total, { costNanos }) => total + Number(costNanos), 0);
        const { recent } = await storedOf(accountId, 0);
        const stored = recent.reduce((total, { costNanos }) => total + costNanos, 0);
        expect(stored).toBe(sum((record) => record.accountId === accountId));
        const balance = (await storage.users.get(userId))?.balanceNanos ?? 0n;
        expect(1_000_000_000 - Number(balance)).toBe(sum((record) => record.userId === userId));
      }
    }, 30_000);
  });
}
