import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ApiKeyId, SubscriptionId } from "#domain/ids.ts";
import { KEY_SPANS, SUBSCRIPTION_SPANS } from "#domain/spend-window.ts";
import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import { migrate } from "#storage/migrate.ts";
import type { ApiKeyRow } from "#storage/repositories/api-keys.ts";
import type { SubscriptionRow } from "#storage/repositories/subscriptions.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import type { TestServer } from "#support/servers.ts";
import { Shuffle } from "../coordination/shuffle.ts";
import { newCast, newSubscription, recordOf, rowOf } from "./records.ts";
import { WindowModel } from "./window-model.ts";

const START_MS_MAX = 60_000;
const NOON = Date.UTC(2026, 5, 1, 12);
const HOUR_MS = 3_600_000;
const SEEDS = [1, 2, 3, 4, 5, 6];

/** What every engine promises about windows of spending. */
export function describeWindows(engine: string, start: () => Promise<TestServer>): void {
  describe(`windows of spending on ${engine}`, () => {
    let server: TestServer;
    let storage: Storage;

    beforeAll(async () => {
      server = await start();
      await migrate(server.url);
      storage = openStorage(server.url, { connectionsMax: 3 });
    }, START_MS_MAX);

    afterAll(async () => {
      await storage?.close();
      await server?.close();
    }, START_MS_MAX);

    const book = (records: readonly UsageRecord[]) => storage.usage.book(records.map(usageLine));
    const key = async (id: ApiKeyId) => (await storage.apiKeys.get(id)) as ApiKeyRow;

    test("a window begins with the end of the first request that cost something, and lasts its span", async () => {
      const cast = await newCast(storage);
      const at = (createdAtMs: number, costNanos: bigint | undefined) =>
        recordOf(cast, { createdAtMs, durationMs: 5, costNanos });
      await book([at(NOON - HOUR_MS, 0n), at(NOON - HOUR_MS, undefined)]);
      expect((await key(cast.apiKeyId)).window5hStartedAtMs).toBeNull();
      await book([at(NOON, 7n), at(NOON + 5 * HOUR_MS - 1, 3n)]);
      expect(await key(cast.apiKeyId)).toMatchObject({
        window5hStartedAtMs: NOON + 5,
        window5hUsedNanos: 10n,
        window1dStartedAtMs: NOON + 5,
        window1dUsedNanos: 10n,
      });
      const { windows } = await book([at(NOON + 5 * HOUR_MS, 2n)]);
      expect(await key(cast.apiKeyId)).toMatchObject({
        window5hStartedAtMs: NOON + 5 * HOUR_MS + 5,
        window5hUsedNanos: 2n,
        window1dStartedAtMs: NOON + 5,
        window1dUsedNanos: 12n,
        window7dUsedNanos: 12n,
      });
      expect(windows).toContainEqual({
        kind: "key",
        id: cast.apiKeyId,
        span: "5h",
        startedAtMs: NOON + 5 * HOUR_MS + 5,
        usedNanos: 2n,
        revision: (await key(cast.apiKeyId)).revision,
      });
    });

    test.each(SEEDS)(
      "batches of any size, out of order, with ends of windows inside, are as one cost after the other (seed %d)",
      async (seed) => {
        const shuffle = new Shuffle(seed);
        const casts = await Promise.all([newCast(storage), newCast(storage), newCast(storage)]);
        const subscribed = await Promise.all(casts.slice(1).map((cast) => newSubscription(storage, cast)));
        const model = new WindowModel();
        const next = recordsOf(casts, subscribed, shuffle);
        for (let round = 0; round < 25; round++) {
          const batch = Array.from({ length: 1 + shuffle.below(12) }, next);
          model.book(batch);
          await book(batch);
          // Offered again, it changes nothing.
          await book(batch);
          for (const { apiKeyId } of casts) expectKey(await key(apiKeyId), model);
        }
        for (const { id } of subscribed) {
          expectSubscription((await storage.subscriptions.get(id)) as SubscriptionRow, model);
        }
      },
    );

    test("bookings at the same time lose nothing of what the others put into a window", async () => {
      const casts = await Promise.all([newCast(storage), newCast(storage)]);
      const subscribed = await Promise.all(casts.map((cast) => newSubscription(storage, cast)));
      const batches = Array.from({ length: 24 }, (_, batch) =>
        Array.from({ length: 10 }, (_, index) =>
          recordOf(casts[index % 2] as (typeof casts)[0], {
            subscriptionId: subscribed[index % 2]?.id,
            createdAtMs: NOON + batch,
          }),
        ),
      );
      await Promise.all(batches.flatMap((batch) => [book(batch), book([...batch].reverse())]));
      for (const { apiKeyId } of casts) {
        const { quotaUsedNanos, window5hUsedNanos, window7dUsedNanos, ...row } = await key(apiKeyId);
        expect([quotaUsedNanos, window5hUsedNanos, window7dUsedNanos]).toEqual([120n, 120n, 120n]);
        expect(row.revision).toBeGreaterThan(0);
      }
      for (const { id } of subscribed) {
        expect((await storage.subscriptions.get(id))?.window30dUsedNanos).toBe(120n);
      }
    }, 30_000);

    test("what a subscription pays for is not taken from the balance, and the record says so", async () => {
      const cast = await newCast(storage);
      const { id: subscriptionId } = await newSubscription(storage, cast);
      const paid = recordOf(cast, { subscriptionId, costNanos: 40n });
      const { balances, quotas, windows } = await book([paid, recordOf(cast, { costNanos: 2n })]);
      expect(balances.map(({ balanceNanos }) => balanceNanos)).toEqual([999_999_998n]);
      expect(quotas.map(({ usedNanos }) => usedNanos)).toEqual([42n]);
      expect(windows.filter(({ kind }) => kind === "subscription").map(({ usedNanos }) => usedNanos)).toEqual(
        [40n, 40n, 40n],
      );
      const { rows } = await storage.usage.list({ userId: cast.userId }, { limit: 5 });
      expect(rows.map((row) => row.subscriptionId).sort()).toEqual([subscriptionId, null]);
    });

    test("a subscription that is gone is charged for nothing, and neither is the balance", async () => {
      const cast = await newCast(storage);
      const gone = 999_999_999 as SubscriptionId;
      const { inserted, balances, windows } = await book([recordOf(cast, { subscriptionId: gone })]);
      expect(inserted).toBe(1);
      expect(balances).toEqual([{ userId: cast.userId, balanceNanos: 1_000_000_000n, revision: 0 }]);
      expect(windows.every(({ kind }) => kind === "key")).toBe(true);
    });

    test("a reset lets every window begin anew, for keys and for subscriptions", async () => {
      const cast = await newCast(storage);
      const { id } = await newSubscription(storage, cast);
      await book([recordOf(cast, { subscriptionId: id, createdAtMs: NOON })]);
      const before = await key(cast.apiKeyId);
      const reset = rowOf(await storage.apiKeys.resetWindows(cast.apiKeyId));
      expect(reset).toMatchObject({ window5hStartedAtMs: null, window7dUsedNanos: 0n, quotaUsedNanos: 1n });
      expect(reset.revision).toBeGreaterThan(before.revision);
      expect(rowOf(await storage.subscriptions.resetWindows(id))).toMatchObject({
        window1dStartedAtMs: null,
        window30dUsedNanos: 0n,
      });
      await book([recordOf(cast, { subscriptionId: id, createdAtMs: NOON + 1, durationMs: 0 })]);
      expect((await key(cast.apiKeyId)).window5hStartedAtMs).toBe(NOON + 1);
      expect((await storage.subscriptions.get(id))?.window30dUsedNanos).toBe(1n);
    });
  });
}

/** Records that come due now in quick succession, now after pauses of days, some of them late. */
function recordsOf(
  casts: readonly Parameters<typeof recordOf>[0][],
  subscribed: readonly SubscriptionRow[],
  shuffle: Shuffle,
): () => UsageRecord {
  let nowMs = NOON;
  const rarely = (most: number): number => (shuffle.below(5) === 0 ? shuffle.below(most) : 0);
  return () => {
    nowMs += shuffle.below(HOUR_MS) + rarely(40 * HOUR_MS);
    const pick = shuffle.below(casts.length);
    const subscription = shuffle.below(3) === 0 ? undefined : subscribed[pick - 1];
    return recordOf(casts[pick] as (typeof casts)[0], {
      subscriptionId: subscription?.id,
      createdAtMs: nowMs - rarely(30 * HOUR_MS),
      durationMs: shuffle.below(HOUR_MS),
      costNanos: BigInt(shuffle.below(5)),
    });
  };
}

function expectKey(row: ApiKeyRow, model: WindowModel): void {
  const stored = {
    "5h": [row.window5hStartedAtMs, row.window5hUsedNanos],
    "1d": [row.window1dStartedAtMs, row.window1dUsedNanos],
    "7d": [row.window7dStartedAtMs, row.window7dUsedNanos],
  } as const;
  for (const span of KEY_SPANS) {
    const window = model.window(`key ${row.id}`, span);
    expect([span, ...stored[span]]).toEqual([span, window?.startedAtMs ?? null, window?.usedNanos ?? 0n]);
  }
}

function expectSubscription(row: SubscriptionRow, model: WindowModel): void {
  const stored = {
    "1d": [row.window1dStartedAtMs, row.window1dUsedNanos],
    "7d": [row.window7dStartedAtMs, row.window7dUsedNanos],
    "30d": [row.window30dStartedAtMs, row.window30dUsedNanos],
  } as const;
  for (const span of SUBSCRIPTION_SPANS) {
    const window = model.window(`subscription ${row.id}`, span);
    expect([span, ...stored[span]]).toEqual([span, window?.startedAtMs ?? null, window?.usedNanos ?? 0n]);
  }
}
