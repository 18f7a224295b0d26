import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { UserId } from "#domain/ids.ts";
import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import { migrate } from "#storage/migrate.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import type { TestServer } from "#support/servers.ts";
import { newCast, newSubscription, recordOf, unique } from "./records.ts";

const START_MS_MAX = 60_000;

const NOTHING = {
  inserted: 0,
  conflicts: 0,
  balances: [],
  quotas: [],
  subscriptions: [],
  windows: [],
  spends: [],
};

/** What every engine promises about usage and the money it costs. */
export function describeBooking(engine: string, start: () => Promise<TestServer>): void {
  describe(`booking on ${engine}`, () => {
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

    const book = (records: readonly UsageRecord[]) => storage.usage.book(records.map(usageLine));

    test("a record offered twice is charged once", async () => {
      const cast = await newCast(storage);
      const records = [recordOf(cast, { costNanos: 100n }), recordOf(cast, { costNanos: 20n })];
      const first = await book(records);
      expect(first.inserted).toBe(2);
      expect(first.balances).toEqual([{ userId: cast.userId, balanceNanos: 999_999_880n, revision: 1 }]);
      expect(first.quotas).toEqual([{ apiKeyId: cast.apiKeyId, usedNanos: 120n, revision: 1 }]);
      const late = recordOf(cast, { costNanos: 3n });
      const second = await book([...records, late, late]);
      expect(second.inserted).toBe(1);
      expect(second.balances).toEqual([{ userId: cast.userId, balanceNanos: 999_999_877n, revision: 2 }]);
      expect(second.quotas).toEqual([{ apiKeyId: cast.apiKeyId, usedNanos: 123n, revision: 2 }]);
      const again = await book(records);
      expect([again.inserted, again.conflicts, again.spends]).toEqual([0, 0, []]);
      expect([again.balances, again.quotas]).toEqual([second.balances, second.quotas]);
      expect((await storage.apiKeys.get(cast.apiKeyId))?.quotaUsedNanos).toBe(123n);
      expect((await storage.users.get(cast.userId))?.balanceNanos).toBe(999_999_877n);
    });

    test("tells how everything stands that a record names: booked now, before, in conflict or free", async () => {
      const [payer, rival] = await Promise.all([newCast(storage), newCast(storage)]);
      const { id: subscriptionId } = await newSubscription(storage, payer);
      const paid = recordOf(payer, { subscriptionId, costNanos: 7n });
      const first = await book([paid, recordOf(payer, { costNanos: 2n })]);
      expect(first.subscriptions).toEqual([{ subscriptionId, revision: 1 }]);
      const shown = first.windows.map(({ kind, usedNanos }) => `${kind} ${usedNanos}`).sort();
      expect(shown).toEqual([...Array(3).fill("key 9"), ...Array(3).fill("subscription 7")]);
      const again = await book([paid]);
      const { balances, quotas, subscriptions } = again;
      expect({ balances, quotas, subscriptions }).toEqual({
        balances: first.balances,
        quotas: first.quotas,
        subscriptions: first.subscriptions,
      });
      expect(new Set(again.windows)).toEqual(new Set(first.windows));
      const conflict = await book([paid, { ...paid, ...rival, subscriptionId: undefined }]);
      expect([conflict.inserted, conflict.conflicts]).toEqual([0, 1]);
      expect(conflict.balances).toContainEqual({
        userId: rival.userId,
        balanceNanos: 1_000_000_000n,
        revision: 0,
      });
      expect(conflict.quotas).toContainEqual({ apiKeyId: rival.apiKeyId, usedNanos: 0n, revision: 0 });
      expect(conflict.subscriptions).toEqual(first.subscriptions);
      const free = await book([recordOf(rival, { costNanos: 0n })]);
      expect(free.quotas).toEqual([{ apiKeyId: rival.apiKeyId, usedNanos: 0n, revision: 1 }]);
      expect(free.windows).toEqual([]);
    });

    test("what bookings at the same time tell of a balance is what it was at their revision", async () => {
      const cast = await newCast(storage);
      const record = recordOf(cast);
      const bookings = await Promise.all(
        Array.from({ length: 8 }, (_, at) => book([at % 2 === 0 ? record : recordOf(cast)])),
      );
      // Every booking but those of the same record takes one nano-dollar.
      for (const { balances } of bookings) {
        expect(balances.map(({ balanceNanos, revision }) => balanceNanos + BigInt(revision))).toEqual([
          1_000_000_000n,
        ]);
      }
      expect((await storage.users.get(cast.userId))?.balanceNanos).toBe(999_999_995n);
    });

    test("the same records booked from both sides at once are charged once", async () => {
      const casts = await Promise.all([newCast(storage), newCast(storage), newCast(storage)]);
      const records = casts.flatMap((cast) => Array.from({ length: 40 }, () => recordOf(cast)));
      const bookings = await Promise.all([book(records), book([...records].reverse())]);
      expect(bookings.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(120);
      for (const { userId } of casts) {
        expect((await storage.users.get(userId))?.balanceNanos).toBe(999_999_960n);
      }
    });

    test("more records than one statement can carry are one booking", async () => {
      const cast = await newCast(storage);
      const records = Array.from({ length: 6001 }, () => recordOf(cast));
      const { inserted, balances } = await book(records);
      expect(inserted).toBe(6001);
      expect(balances[0]?.balanceNanos).toBe(1_000_000_000n - 6001n);
    }, 30_000);

    test("nothing is booked when a part of it cannot be", async () => {
      const cast = await newCast(storage);
      const good = recordOf(cast);
      const bad = recordOf(cast, { model: "not\u0000text" });
      await expect(book([good, bad])).rejects.toThrow();
      const { rows } = await storage.usage.list({ userId: cast.userId }, { limit: 10 });
      expect(rows).toEqual([]);
      expect((await storage.users.get(cast.userId))?.balanceNanos).toBe(1_000_000_000n);
    });

    test("an unpriced record and one of a deleted user are kept on record", async () => {
      const cast = await newCast(storage);
      const unpriced = recordOf(cast, { costNanos: undefined, createdAtMs: 1_700_000_000_123 });
      const orphan = recordOf({ ...cast, userId: 999_999_999 as UserId });
      const { inserted, balances } = await book([unpriced, orphan]);
      expect(inserted).toBe(2);
      expect(balances).toEqual([{ userId: cast.userId, balanceNanos: 1_000_000_000n, revision: 0 }]);
      const [row] = (await storage.usage.list({ requestId: unpriced.requestId }, { limit: 1 })).rows;
      expect(row).toMatchObject({
        costNanos: null,
        createdAtMs: 1_700_000_000_123,
        accountId: cast.accountId,
      });
    });

    test("the last use of a key never moves back", async () => {
      const cast = await newCast(storage);
      await book([recordOf(cast, { createdAtMs: 2_000 }), recordOf(cast, { createdAtMs: 5_123 })]);
      await book([recordOf(cast, { createdAtMs: 3_000 })]);
      expect((await storage.apiKeys.get(cast.apiKeyId))?.lastUsedAtMs).toBe(5_123);
    });

    test("what a request would have cost is kept, and a line from before that was told is booked", async () => {
      const cast = await newCast(storage);
      const [told, plain] = [recordOf(cast, { listCostNanos: 9n }), recordOf(cast)];
      const early = usageLine(plain).replace('"list_cost_nanos":null,', "");
      expect((await storage.usage.book([usageLine(told), early])).inserted).toBe(2);
      expect((await storage.usage.book([usageLine(plain)])).conflicts).toBe(0);
      for (const [{ requestId }, listCostNanos] of [
        [told, 9n],
        [plain, null],
      ] as const) {
        const { rows } = await storage.usage.list({ requestId }, { limit: 2 });
        expect(rows.map((row) => row.listCostNanos)).toEqual([listCostNanos]);
      }
    });

    test("an empty batch changes nothing", async () => {
      expect(await book([])).toEqual(NOTHING);
    });

    test("records are found by every filter, alone and together", async () => {
      const cast = await newCast(storage);
      const upstreamRequestId = unique("up");
      const wanted = recordOf(cast, {
        model: unique("model"),
        status: "client_gone",
        upstreamRequestId,
        createdAtMs: 5_000,
      });
      await book([wanted, recordOf(cast, { createdAtMs: 4_999 }), recordOf(cast, { createdAtMs: 6_000 })]);
      const { userId, apiKeyId, groupId, accountId } = cast;
      const own = { userId };
      const filters = [
        { ...own, model: wanted.model },
        { ...own, status: "client_gone" },
        { requestId: wanted.requestId },
        { requestId: upstreamRequestId },
        { ...own, fromMs: 5_000, toMs: 6_000 },
        { userId, apiKeyId, groupId, accountId, status: "client_gone" },
      ] as const;
      for (const filter of filters) {
        const { rows } = await storage.usage.list(filter, { limit: 10 });
        expect(rows.map(({ requestId }) => requestId)).toEqual([wanted.requestId]);
      }
      for (const filter of [{ userId }, { apiKeyId }, { groupId }, { accountId }]) {
        expect((await storage.usage.list(filter, { limit: 10 })).rows.length).toBe(3);
      }
    });

    test("pages end where the next begins", async () => {
      const cast = await newCast(storage);
      await book(Array.from({ length: 5 }, () => recordOf(cast)));
      const first = await storage.usage.list({ userId: cast.userId }, { limit: 3 });
      const second = await storage.usage.list({ userId: cast.userId }, { limit: 3, before: first.next });
      expect([first.rows.length, second.rows.length, second.next]).toEqual([3, 2, undefined]);
      const ids = [...first.rows, ...second.rows].map(({ id }) => id);
      expect(ids).toEqual([...new Set(ids)].sort((a, b) => b - a));
    });
  });
}
