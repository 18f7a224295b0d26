import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import type { AccountId, GroupId, UserId } from "#domain/ids.ts";
import { type OpenDatabase, openDatabase } from "#storage/database.ts";
import { migrate } from "#storage/migrate.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import type { TestServer } from "#support/servers.ts";
import { newCast, rowOf, unique } from "./records.ts";

const START_MS_MAX = 60_000;

/** What every engine promises. */
export function describeStorage(engine: string, start: () => Promise<TestServer>): void {
  describe(`storage on ${engine}`, () => {
    let server: TestServer;
    let storage: Storage;
    let database: OpenDatabase;

    beforeAll(async () => {
      server = await start();
      // Several nodes that start at once all migrate an empty database.
      await Promise.all([migrate(server.url), migrate(server.url), migrate(server.url)]);
      storage = openStorage(server.url, { connectionsMax: 2 });
      database = openDatabase(server.url, { connectionsMax: 1 });
    }, START_MS_MAX);

    afterAll(async () => {
      await storage?.close();
      await database?.close();
      await server?.close();
    }, START_MS_MAX);

    test("each migration ran once, however many nodes started and start again", async () => {
      await migrate(server.url);
      const rows = await database.db.execute(sql`select hash from drizzle.__drizzle_migrations`);
      expect(new Set(rows.map((row) => row["hash"])).size).toBe(rows.length);
    });

    test("answers whether it is reachable", async () => {
      expect(await storage.isReachable()).toBe(true);
    });

    describe("users", () => {
      test("come back as they were stored, times in milliseconds", async () => {
        const before = Date.now();
        const user = rowOf(await storage.users.create({ name: "Grace", balanceNanos: 12_345_678_901_234n }));
        expect(user).toMatchObject({ name: "Grace", email: null, status: "active", concurrency: 5 });
        expect(user.balanceNanos).toBe(12_345_678_901_234n);
        expect(Math.abs(user.createdAtMs - before)).toBeLessThan(60_000);
        expect(await storage.users.get(user.id)).toEqual(user);
      });

      test("may lack an email but may not share one", async () => {
        const email = `${unique("a")}@example.com`;
        const first = rowOf(await storage.users.create({ name: "A", email }));
        const second = rowOf(await storage.users.create({ name: "B" }));
        const duplicate = { ok: false, conflict: { kind: "duplicate", subject: "email" } } as const;
        expect(await storage.users.create({ name: "C", email })).toEqual(duplicate);
        expect(await storage.users.update(second.id, { email })).toEqual(duplicate);
        expect(rowOf(await storage.users.update(first.id, { email: null })).email).toBeNull();
      });

      test("change only in what was named", async () => {
        const user = rowOf(await storage.users.create({ name: "A", concurrency: 7 }));
        const changed = rowOf(await storage.users.update(user.id, { status: "disabled" }));
        expect(changed).toEqual({ ...user, status: "disabled", updatedAtMs: changed.updatedAtMs });
        expect(rowOf(await storage.users.update(user.id, {})).name).toBe("A");
      });

      test("keep an exact balance under additions at the same time", async () => {
        const { id } = rowOf(await storage.users.create({ name: "A", balanceNanos: 5n }));
        const takeOne = (idempotencyKey: string) =>
          storage.balanceAdjustments.adjust({ userId: id, amountNanos: -1n, reason: "x", idempotencyKey });
        await Promise.all(Array.from({ length: 20 }, () => takeOne(unique("key"))));
        expect((await storage.users.get(id))?.balanceNanos).toBe(-15n);
      });

      test("that do not exist are told apart from errors", async () => {
        const nobody = 999_999_999 as UserId;
        const missing = { ok: false, conflict: { kind: "not_found" } } as const;
        expect(await storage.users.get(nobody)).toBeUndefined();
        expect(await storage.users.update(nobody, { name: "x" })).toEqual(missing);
        expect(await storage.users.delete(nobody)).toEqual(missing);
      });

      test("are listed newest first, each exactly once across pages", async () => {
        for (let n = 0; n < 5; n += 1) await storage.users.create({ name: unique("page") });
        const ids: number[] = [];
        let before: number | undefined;
        do {
          const page = await storage.users.list({ limit: 2, before });
          expect(page.rows.length).toBeLessThanOrEqual(2);
          ids.push(...page.rows.map(({ id }) => id));
          before = page.next;
        } while (before !== undefined);
        expect(ids).toEqual([...new Set(ids)].sort((a, b) => b - a));
        const everyone = await database.db.execute(sql`select count(*)::int as count from users`);
        expect(everyone[0]?.["count"]).toBe(ids.length);
      });
    });

    describe("groups, accounts and API keys", () => {
      test("an account and its groups change together or not at all", async () => {
        const { accountId, groupId } = await newCast(storage);
        const other = rowOf(await storage.groups.create({ name: unique("group"), platform: "anthropic" }));
        const both = [groupId, other.id].sort((a, b) => a - b);
        const moved = await storage.accounts.update(accountId, { name: "moved", groupIds: both });
        expect(rowOf(moved)).toMatchObject({ name: "moved", groupIds: both });
        const nowhere = { name: "lost", groupIds: [999_999_999 as GroupId] };
        expect(await storage.accounts.update(accountId, nowhere)).toEqual({
          ok: false,
          conflict: { kind: "unknown_reference", subject: "group_id" },
        });
        expect(await storage.accounts.get(accountId)).toEqual(rowOf(moved));
      });

      test("account ids are reserved before the account exists and never given twice", async () => {
        const ids = await Promise.all(Array.from({ length: 10 }, () => storage.accounts.nextId()));
        expect(new Set(ids).size).toBe(10);
        expect(await storage.accounts.get(ids[0] as AccountId)).toBeUndefined();
      });

      test("mappings are stored as JSON objects, not as text", async () => {
        const { accountId } = await newCast(storage);
        const modelMapping = { "claude-*": "claude-test", 'quo"te': "back\\slash" };
        await storage.accounts.update(accountId, { modelMapping });
        const kind = sql`select jsonb_typeof(model_mapping) as kind from accounts where id = ${accountId}`;
        expect((await database.db.execute(kind))[0]?.["kind"]).toBe("object");
        expect((await storage.accounts.get(accountId))?.modelMapping).toEqual(modelMapping);
      });

      test("address lists keep their order and times their milliseconds", async () => {
        const { apiKeyId } = await newCast(storage);
        const ipAllow = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"];
        const changed = rowOf(
          await storage.apiKeys.update(apiKeyId, { ipAllow, expiresAtMs: 1_234_567_890_123 }),
        );
        expect(changed).toMatchObject({ ipAllow, ipDeny: [], expiresAtMs: 1_234_567_890_123 });
      });

      test("what is still in use is not deleted", async () => {
        const { userId, groupId, accountId, apiKeyId } = await newCast(storage);
        const inUse = (subject: string) =>
          ({ ok: false, conflict: { kind: "still_referenced", subject } }) as const;
        expect(await storage.users.delete(userId)).toEqual(inUse("api_keys"));
        rowOf(await storage.apiKeys.delete(apiKeyId));
        expect(await storage.groups.delete(groupId)).toEqual(inUse("account_groups"));
        expect(rowOf(await storage.accounts.delete(accountId)).groupIds).toEqual([groupId]);
        rowOf(await storage.groups.delete(groupId));
        rowOf(await storage.users.delete(userId));
        expect(await storage.groups.get(groupId)).toBeUndefined();
      });

      test("a key for nobody and a second group of one name are refused", async () => {
        const { groupId } = await newCast(storage);
        const orphan = { userId: 999_999_999 as UserId, groupId, name: "x", keyHint: "wxyz" };
        expect(await storage.apiKeys.create({ ...orphan, keyHash: unique("hash") })).toEqual({
          ok: false,
          conflict: { kind: "unknown_reference", subject: "user_id" },
        });
        const name = (await storage.groups.get(groupId))?.name ?? "";
        expect(await storage.groups.create({ name, platform: "gemini" })).toEqual({
          ok: false,
          conflict: { kind: "duplicate", subject: "name" },
        });
      });

      test("a snapshot holds every row and one row can be read again", async () => {
        const { userId, groupId, accountId, apiKeyId } = await newCast(storage);
        const all = await storage.snapshot.loadAll();
        expect(all.users.find(({ id }) => id === userId)).toEqual(await storage.users.get(userId));
        expect(all.groups.find(({ id }) => id === groupId)).toEqual(await storage.groups.get(groupId));
        expect(all.accounts.find(({ id }) => id === accountId)?.groupIds).toEqual([groupId]);
        expect(all.apiKeys.find(({ id }) => id === apiKeyId)?.keyHint).toBe("wxyz");
        const account = { kind: "account", id: accountId } as const;
        expect(await storage.snapshot.loadOne(account)).toEqual({
          ...account,
          row: all.accounts.find(({ id }) => id === accountId),
        });
        await storage.apiKeys.delete(apiKeyId);
        expect(await storage.snapshot.loadOne({ kind: "api-key", id: apiKeyId })).toEqual({
          kind: "api-key",
          id: apiKeyId,
          row: undefined,
        });
        const user = { kind: "user", id: userId } as const;
        expect(await storage.snapshot.loadOne(user)).toMatchObject({ ...user, row: { id: userId } });
        const group = { kind: "group", id: groupId } as const;
        expect(await storage.snapshot.loadOne(group)).toMatchObject({ ...group, row: { id: groupId } });
      });
    });

    describe("connections", () => {
      test("never see each other's rows, errors or open transactions", async () => {
        const pools = Array.from({ length: 4 }, () => openDatabase(server.url, { connectionsMax: 2 }));
        const work = pools.flatMap(({ db }, pool) =>
          Array.from({ length: 25 }, async (_, n) => {
            const value = pool * 1000 + n;
            const failing = async () => await db.execute(sql`select 1 / ${0}::int`);
            if (n % 5 === 0) await expect(failing()).rejects.toThrow();
            const [alone] = await db.execute(sql.raw(`select ${value} as pool_${pool}`));
            const [bound] = await db.execute(
              sql`select ${value}::int as value, ${sql.raw(`${pool}`)} as pool`,
            );
            const inside = await db.transaction(async (transaction) => {
              await transaction.execute(
                sql`create temporary table t_${sql.raw(`${value}`)} (v int) on commit drop`,
              );
              await transaction.execute(sql`insert into t_${sql.raw(`${value}`)} values (${value})`);
              return await transaction.execute(sql`select v from t_${sql.raw(`${value}`)}`);
            });
            expect(alone?.[`pool_${pool}`]).toBe(value);
            expect(bound).toEqual({ value, pool });
            expect(inside[0]?.["v"]).toBe(value);
          }),
        );
        await Promise.all(work);
        await Promise.all(pools.map((pool) => pool.close()));
      });
    });
  });
}
