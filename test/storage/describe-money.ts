import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AttemptRecord } from "#domain/attempt-record.ts";
import type { AccountId, GroupId, UserId } from "#domain/ids.ts";
import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import { migrate } from "#storage/migrate.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import type { TestServer } from "#support/servers.ts";
import { newCast, newSubscription, recordOf, rowOf, unique } from "./records.ts";

const START_MS_MAX = 60_000;
const NOBODY = 999_999_999 as UserId;
const NO_GROUP = 999_999_999 as GroupId;
const PAGE = { limit: 10 };

/** What every engine promises about what is charged, moved and kept on record. */
export function describeMoney(engine: string, start: () => Promise<TestServer>): void {
  describe(`money on ${engine}`, () => {
    let server: TestServer;
    let storage: Storage;

    beforeAll(async () => {
      server = await start();
      await migrate(server.url);
      storage = openStorage(server.url, { connectionsMax: 4 });
    }, START_MS_MAX);

    afterAll(async () => {
      await storage?.close();
      await server?.close();
    }, START_MS_MAX);

    const book = (records: readonly UsageRecord[]) => storage.usage.book(records.map(usageLine));

    describe("balances", () => {
      test("are moved once per idempotency key, from however many sides at once", async () => {
        const { userId } = await newCast(storage);
        const wanted = { userId, amountNanos: 50n, reason: "invoice", idempotencyKey: unique("key") };
        const asked = await Promise.all(
          Array.from({ length: 8 }, () => storage.balanceAdjustments.adjust(wanted)),
        );
        const first = rowOf(asked[0] as (typeof asked)[0]);
        expect(first).toMatchObject({ ...wanted, balanceAfterNanos: 1_000_000_050n });
        for (const answer of asked) expect(rowOf(answer)).toEqual(first);
        expect((await storage.users.get(userId))?.balanceNanos).toBe(1_000_000_050n);
        const { rows } = await storage.balanceAdjustments.list({ userId }, PAGE);
        expect(rows).toEqual([first, expect.objectContaining({ reason: "first balance" })]);
      });

      test("are not moved by a key that was used for something else", async () => {
        const [one, other] = await Promise.all([newCast(storage), newCast(storage)]);
        const wanted = {
          userId: one.userId,
          amountNanos: -7n,
          reason: "refund",
          idempotencyKey: unique("key"),
        };
        rowOf(await storage.balanceAdjustments.adjust(wanted));
        const changes = [{ userId: other.userId }, { amountNanos: -8n }, { reason: "another" }];
        for (const change of changes) {
          expect(await storage.balanceAdjustments.adjust({ ...wanted, ...change })).toEqual({
            ok: false,
            conflict: { kind: "duplicate", subject: "idempotency_key" },
          });
        }
        expect((await storage.users.get(one.userId))?.balanceNanos).toBe(999_999_993n);
        expect((await storage.users.get(other.userId))?.balanceNanos).toBe(1_000_000_000n);
      });

      test("that do not exist are told, and leave no record", async () => {
        const wanted = { userId: NOBODY, amountNanos: 1n, reason: "x", idempotencyKey: unique("key") };
        expect(await storage.balanceAdjustments.adjust(wanted)).toEqual({
          ok: false,
          conflict: { kind: "not_found" },
        });
        expect((await storage.balanceAdjustments.list({ userId: NOBODY }, PAGE)).rows).toEqual([]);
      });

      test("are the sum of what was moved and what was charged, under both at once", async () => {
        const cast = await newCast(storage);
        const movements = Array.from({ length: 20 }, (_, index) =>
          storage.balanceAdjustments.adjust({
            userId: cast.userId,
            amountNanos: BigInt(index),
            reason: "test",
            idempotencyKey: unique("key"),
          }),
        );
        const bookings = Array.from({ length: 20 }, () => book([recordOf(cast), recordOf(cast)]));
        await Promise.all([...movements, ...bookings]);
        const user = await storage.users.get(cast.userId);
        expect(user?.balanceNanos).toBe(1_000_000_000n + 190n - 40n);
        // Twenty movements and twenty bookings, each told from the one before.
        expect(user?.revision).toBe(40);
      });
    });

    describe("records that say something else than what is on file", () => {
      test("are kept aside once, neither booked nor dropped", async () => {
        const cast = await newCast(storage);
        const record = recordOf(cast, { costNanos: 5n });
        const other = { ...record, costNanos: 6n };
        expect((await book([record])).conflicts).toBe(0);
        const again = await book([record, other, recordOf(cast)]);
        expect([again.inserted, again.conflicts]).toEqual([1, 1]);
        expect((await book([other])).conflicts).toBe(0);
        expect((await storage.users.get(cast.userId))?.balanceNanos).toBe(1_000_000_000n - 6n);
        const { rows } = await storage.usage.conflicts(PAGE);
        const kept = rows.filter(({ requestId }) => requestId === record.requestId);
        expect(kept.map(({ line }) => line)).toEqual([JSON.parse(usageLine(other))]);
      });

      test("are told from the first one when both come in one batch", async () => {
        const cast = await newCast(storage);
        const record = recordOf(cast, { costNanos: 5n });
        const others = [{ ...record, model: "another" }, { ...record, createdAtMs: 1 }, record];
        const { inserted, conflicts } = await book([record, ...others]);
        expect([inserted, conflicts]).toEqual([1, 2]);
        const { rows } = await storage.usage.list({ requestId: record.requestId }, PAGE);
        expect(rows.map(({ model }) => model)).toEqual(["claude-test"]);
      });

      test("are told when both are booked at the same time", async () => {
        const [one, two] = await Promise.all([newCast(storage), newCast(storage)]);
        const record = recordOf(one);
        const bookings = await Promise.all([book([record]), book([{ ...record, ...two }])]);
        expect(bookings.reduce((sum, { inserted }) => sum + inserted, 0)).toBe(1);
        expect(bookings.reduce((sum, { conflicts }) => sum + conflicts, 0)).toBe(1);
      });
    });

    describe("attempts", () => {
      const attempt = (number: number, part: Partial<AttemptRecord> = {}): AttemptRecord => ({
        number,
        accountId: 7 as AccountId,
        startedAtMs: 1_700_000_000_123,
        durationMs: 40,
        httpStatus: 200,
        fault: undefined,
        bytes: 1_234,
        inputTokens: 10,
        outputTokens: 20,
        billed: "yes",
        reason: "completed",
        ...part,
      });

      test("are filed with their request, once, as they were told", async () => {
        const cast = await newCast(storage);
        const broken = attempt(1, { httpStatus: undefined, fault: "upstream.reset", billed: "unknown" });
        const record = recordOf(cast, { attempts: 2, attemptsDetail: [broken, attempt(2)] });
        await book([record, recordOf(cast)]);
        await book([record]);
        const { requestId, createdAtMs } = record;
        expect(await storage.usage.attempts(requestId)).toEqual([
          { requestId, createdAtMs, ...broken, httpStatus: null, fault: "upstream.reset" },
          { requestId, createdAtMs, ...attempt(2), httpStatus: 200, fault: null },
        ]);
      });

      test("of a record that is not taken are not filed", async () => {
        const cast = await newCast(storage);
        const record = recordOf(cast, { attemptsDetail: [attempt(1)] });
        await book([record, { ...record, costNanos: 9n, attemptsDetail: [attempt(1), attempt(2)] }]);
        expect(await storage.usage.attempts(record.requestId)).toHaveLength(1);
      });

      test("what an account cost the operator is added to its spending where it differs", async () => {
        const cast = await newCast(storage);
        const { spends, balances } = await book([
          recordOf(cast, { costNanos: 0n, accountCostNanos: 30n }),
          recordOf(cast, { costNanos: 5n }),
        ]);
        expect(spends.map(({ costNanos }) => costNanos)).toEqual([35]);
        expect(balances.map(({ balanceNanos }) => balanceNanos)).toEqual([999_999_995n]);
      });
    });

    describe("subscriptions", () => {
      test("are at most one per user and group, besides those that are cancelled", async () => {
        const cast = await newCast(storage);
        const { userId, groupId } = cast;
        const first = await newSubscription(storage, cast);
        const second = { userId, groupId, expiresAtMs: 5 };
        const refused = { ok: false, conflict: { kind: "duplicate" } } as const;
        expect(await storage.subscriptions.create(second)).toMatchObject(refused);
        expect(first.status).toBe("active");
        rowOf(await storage.subscriptions.update(first.id, { status: "cancelled" }));
        const next = rowOf(await storage.subscriptions.create(second));
        expect(await storage.subscriptions.update(first.id, { status: "suspended" })).toMatchObject(refused);
        const found = await storage.subscriptions.list({ userId, groupId }, PAGE);
        expect(found.rows.map(({ id }) => id)).toEqual([next.id, first.id]);
        const active = await storage.subscriptions.list({ userId, status: "active" }, PAGE);
        expect(active.rows).toEqual([next]);
      });

      test("of nobody, or in no group, are refused", async () => {
        const { userId, groupId } = await newCast(storage);
        for (const part of [{ userId: NOBODY }, { groupId: NO_GROUP }]) {
          const answer = await storage.subscriptions.create({ userId, groupId, expiresAtMs: 5, ...part });
          expect(answer).toMatchObject({ ok: false, conflict: { kind: "unknown_reference" } });
        }
      });

      test("are in the snapshot with what they have spent, and can be read again", async () => {
        const cast = await newCast(storage);
        const live = await newSubscription(storage, cast);
        const rows = await storage.snapshot.loadAll();
        expect(rows.subscriptions).toContainEqual(live);
        const key = { kind: "subscription", id: live.id } as const;
        expect(await storage.snapshot.loadOne(key)).toEqual({ ...key, row: live });
        rowOf(await storage.subscriptions.update(live.id, { status: "cancelled" }));
        const later = await storage.snapshot.loadAll();
        expect(later.subscriptions.map(({ id }) => id)).not.toContain(live.id);
        rowOf(await storage.subscriptions.delete(live.id));
        expect(await storage.snapshot.loadOne(key)).toEqual({ ...key, row: undefined });
      });
    });

    test("a user's own multiplier in a group is set, replaced, read with the user and taken away", async () => {
      const { userId, groupId } = await newCast(storage);
      const rate = (rateMultiplierNanos: bigint) => ({ userId, groupId, rateMultiplierNanos });
      rowOf(await storage.users.setGroupRate(rate(5n)));
      rowOf(await storage.users.setGroupRate(rate(0n)));
      expect(await storage.users.groupRates(userId)).toEqual([rate(0n)]);
      expect((await storage.snapshot.loadAll()).groupRates).toContainEqual(rate(0n));
      const entry = await storage.snapshot.loadOne({ kind: "user", id: userId });
      expect(entry).toMatchObject({ groupRates: [rate(0n)] });
      expect(await storage.users.setGroupRate({ ...rate(1n), groupId: NO_GROUP })).toMatchObject({
        ok: false,
        conflict: { kind: "unknown_reference", subject: "group_id" },
      });
      rowOf(await storage.users.deleteGroupRate(userId, groupId));
      expect(await storage.users.groupRates(userId)).toEqual([]);
    });
  });
}
