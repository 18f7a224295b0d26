import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AccountEvent } from "#domain/account-event.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { DEFAULT_SETTINGS } from "#domain/settings.ts";
import { migrate } from "#storage/migrate.ts";
import { runtimeSettings } from "#storage/repositories/settings.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import type { TestServer } from "#support/servers.ts";
import { newCast, rowOf, unique } from "./records.ts";

const START_MS_MAX = 60_000;
const NOW = Date.UTC(2027, 0, 1);

function eventOf(accountId: number, event: Partial<AccountEvent>): AccountEvent {
  return {
    accountId,
    kind: "cooled",
    reason: "429",
    cooling: undefined,
    model: undefined,
    untilMs: undefined,
    status: undefined,
    requestId: undefined,
    atMs: NOW,
    ...event,
  };
}

/** What every engine promises about the state of accounts, and about rules and settings. */
export function describeScheduling(engine: string, start: () => Promise<TestServer>): void {
  describe(`scheduling on ${engine}`, () => {
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

    const account = async (id: AccountId) => {
      const row = await storage.accounts.get(id);
      if (row === undefined) throw new Error("the account is gone");
      return row;
    };

    describe("events of accounts", () => {
      test("come back as they were appended, newest first, page by page", async () => {
        const { accountId } = await newCast(storage);
        const whole = eventOf(accountId, {
          kind: "model_cooled",
          cooling: "rate_limited",
          model: "claude-test",
          untilMs: NOW + 5_123,
          status: 429,
          requestId: "req_1",
        });
        await storage.accountEvents.append(whole);
        await storage.accountEvents.append(eventOf(accountId, { kind: "circuit_opened", atMs: NOW + 1 }));
        await storage.accountEvents.append(eventOf((await newCast(storage)).accountId, {}));
        const first = await storage.accountEvents.list(accountId, { limit: 1 });
        expect(first.rows).toMatchObject([
          { kind: "circuit_opened", cooling: null, untilMs: null, model: null },
        ]);
        const second = await storage.accountEvents.list(accountId, { limit: 1, before: first.next });
        expect(second).toMatchObject({ rows: [whole] });
        expect(second.next).toBeUndefined();
      });

      test("a cooling is only ever extended", async () => {
        const { accountId } = await newCast(storage);
        const cool = (untilMs: number, cooling: "overloaded" | "rate_limited") =>
          storage.accountEvents.append(eventOf(accountId, { untilMs, cooling }));
        await cool(NOW + 5_000, "rate_limited");
        await cool(NOW + 1_000, "overloaded");
        expect(await account(accountId)).toMatchObject({
          coolingUntilMs: NOW + 5_000,
          coolingReason: "rate_limited",
          status: "active",
        });
        await cool(NOW + 6_000, "overloaded");
        expect(await account(accountId)).toMatchObject({
          coolingUntilMs: NOW + 6_000,
          coolingReason: "overloaded",
        });
      });

      test("a failure takes an account out of use with its reason, and a recovery brings it back", async () => {
        const { accountId } = await newCast(storage);
        await storage.accountEvents.append(eventOf(accountId, { untilMs: NOW, cooling: "forbidden" }));
        await storage.accountEvents.append(eventOf(accountId, { kind: "failed", reason: "key revoked" }));
        expect(await account(accountId)).toMatchObject({ status: "error", statusReason: "key revoked" });
        await storage.accountEvents.append(eventOf(accountId, { kind: "recovered" }));
        expect(await account(accountId)).toMatchObject({
          status: "active",
          statusReason: null,
          coolingUntilMs: null,
          coolingReason: null,
        });
      });

      test("neither a failure nor a recovery undoes what an operator has disabled", async () => {
        const { accountId } = await newCast(storage);
        await storage.accounts.update(accountId, { status: "disabled" });
        await storage.accountEvents.append(eventOf(accountId, { kind: "failed" }));
        expect((await account(accountId)).status).toBe("disabled");
        await storage.accountEvents.append(eventOf(accountId, { kind: "recovered" }));
        expect((await account(accountId)).status).toBe("disabled");
      });

      test("what is about a model or a circuit leaves the account's row as it is", async () => {
        const { accountId } = await newCast(storage);
        const before = await account(accountId);
        for (const kind of ["model_cooled", "circuit_opened", "circuit_closed"] as const) {
          await storage.accountEvents.append(eventOf(accountId, { kind, untilMs: NOW }));
        }
        expect(await account(accountId)).toEqual(before);
      });

      test("outlive their account", async () => {
        const { accountId } = await newCast(storage);
        await storage.accounts.delete(accountId);
        await storage.accountEvents.append(eventOf(accountId, { kind: "failed" }));
        expect((await storage.accountEvents.list(accountId, { limit: 5 })).rows).toHaveLength(1);
      });

      test("the newest thousand of an account are kept, and nothing of another is lost", async () => {
        const [{ accountId }, other] = [await newCast(storage), await newCast(storage)];
        await storage.accountEvents.append(eventOf(other.accountId, {}));
        for (let status = 1; status <= 1_003; status++) {
          await storage.accountEvents.append(eventOf(accountId, { kind: "circuit_opened", status }));
        }
        const { rows, next } = await storage.accountEvents.list(accountId, { limit: 1_000 });
        expect([rows[0]?.status, rows.at(-1)?.status, rows.length, next]).toEqual([
          1_003,
          4,
          1_000,
          undefined,
        ]);
        expect((await storage.accountEvents.list(other.accountId, { limit: 5 })).rows).toHaveLength(1);
      }, 30_000);
    });

    describe("accounts", () => {
      test("keep lists, rules and amounts as they were stored, and null apart from empty", async () => {
        const { accountId } = await newCast(storage);
        expect(await account(accountId)).toMatchObject({ handledStatuses: null, unschedulableRules: [] });
        const change = {
          handledStatuses: [429, 529],
          unschedulableRules: [{ status: 403, keywords: ['"a", {b}'], minutes: 1, scope: "model" }],
          quotaDailyNanos: 9_007_199_254_740_993n,
          userMessageQueue: "off",
        } as const;
        const stored = { ...change, handledStatuses: [...change.handledStatuses] };
        expect(rowOf(await storage.accounts.update(accountId, stored))).toMatchObject(stored);
        const emptied = { handledStatuses: [], userMessageQueue: null };
        expect(rowOf(await storage.accounts.update(accountId, emptied))).toMatchObject(emptied);
      });

      test("that are missing are told, however many are asked for", async () => {
        const { accountId } = await newCast(storage);
        const absent = Array.from({ length: 70_000 }, (_, index) => (900_000_000 + index) as AccountId);
        expect(await storage.accounts.missing([accountId, ...absent])).toEqual(new Set(absent));
        expect(await storage.accounts.missing([])).toEqual(new Set());
      });
    });

    describe("groups", () => {
      test("changes that each look first and then write never act on what another one is changing", async () => {
        const { groupId } = await newCast(storage);
        const raise = () =>
          storage.groups.exclusively(async (groups) => {
            const row = await groups.get(groupId);
            await groups.update(groupId, { rateMultiplierNanos: (row?.rateMultiplierNanos ?? 0n) + 1n });
          });
        await Promise.all(Array.from({ length: 10 }, raise));
        expect((await storage.groups.get(groupId))?.rateMultiplierNanos).toBe(1_000_000_010n);
      });

      test("a conflict inside of such a change is told as one, and what was done before it is kept", async () => {
        const [{ groupId }, other] = [await newCast(storage), await newCast(storage)];
        const name = (await storage.groups.get(other.groupId))?.name ?? "";
        const told = await storage.groups.exclusively(async (groups) => {
          await groups.update(groupId, { claudeCodeOnly: true });
          return await groups.update(groupId, { name });
        });
        expect(told).toEqual({ ok: false, conflict: { kind: "duplicate", subject: "name" } });
        expect((await storage.groups.get(groupId))?.claudeCodeOnly).toBe(true);
      });

      test("know who falls back to them", async () => {
        const [target, first, second] = [
          await newCast(storage),
          await newCast(storage),
          await newCast(storage),
        ];
        const none = { asFallback: null, onInvalidRequest: null };
        expect(await storage.groups.referrersOf(target.groupId)).toEqual(none);
        await storage.groups.update(second.groupId, { fallbackGroupId: target.groupId });
        await storage.groups.update(first.groupId, { fallbackGroupIdOnInvalidRequest: target.groupId });
        expect(await storage.groups.referrersOf(target.groupId)).toEqual({
          asFallback: second.groupId,
          onInvalidRequest: first.groupId,
        });
        expect(await storage.groups.referrersOf(999_999_999 as GroupId)).toEqual(none);
      });
    });

    describe("error rules", () => {
      test("come back as they were stored, change in what was named, and have names of their own", async () => {
        const name = unique("rule");
        const rule = rowOf(await storage.errorRules.create({ name, statuses: [400, 529] }));
        expect(rule).toMatchObject({
          enabled: true,
          priority: 50,
          platforms: [],
          statuses: [400, 529],
          keywords: [],
          match: "any",
          responseStatus: null,
          message: null,
          skipsMonitoring: false,
        });
        const change = { platforms: ["gemini" as const], keywords: ['a "b", {c}'], message: "x" };
        const changed = rowOf(await storage.errorRules.update(rule.id, change));
        expect(changed).toEqual({ ...rule, ...change, updatedAtMs: changed.updatedAtMs });
        expect(await storage.errorRules.get(rule.id)).toEqual(changed);
        expect((await storage.errorRules.list({ limit: 1 })).rows).toEqual([changed]);
        const duplicate = { ok: false, conflict: { kind: "duplicate", subject: "name" } } as const;
        expect(await storage.errorRules.create({ name })).toEqual(duplicate);
        rowOf(await storage.errorRules.delete(rule.id));
        const missing = { ok: false, conflict: { kind: "not_found" } } as const;
        expect(await storage.errorRules.update(rule.id, {})).toEqual(missing);
        expect(await storage.errorRules.delete(rule.id)).toEqual(missing);
      });

      test("are part of the snapshot, also while switched off, and can be read again", async () => {
        const rule = rowOf(await storage.errorRules.create({ name: unique("rule"), enabled: false }));
        const key = { kind: "error-rule", id: rule.id } as const;
        expect((await storage.snapshot.loadAll()).errorRules).toContainEqual(rule);
        expect(await storage.snapshot.loadOne(key)).toEqual({ ...key, row: rule });
        await storage.errorRules.delete(rule.id);
        expect(await storage.snapshot.loadOne(key)).toEqual({ ...key, row: undefined });
      });
    });

    describe("settings", () => {
      test("keep their JSON type and can be put and removed again", async () => {
        for (const value of [[1, "two"], { limit: 3 }, "", "text", 0, 0.5, false]) {
          const key = unique("setting");
          await storage.settings.put(key, ["something else"]);
          await storage.settings.put(key, value);
          expect((await storage.settings.all()).find((row) => row.key === key)?.value).toEqual(value);
          await storage.settings.remove(key);
          expect((await storage.settings.all()).some((row) => row.key === key)).toBe(false);
        }
      });

      test("change together or not at all", async () => {
        const key = unique("setting");
        const failing = storage.settings.exclusively(async (settings) => {
          await settings.put(key, 1);
          throw new Error("half-way");
        });
        await expect(failing).rejects.toThrow("half-way");
        expect((await storage.settings.all()).some((row) => row.key === key)).toBe(false);
      });

      test("are part of the snapshot and can be read again", async () => {
        await storage.settings.put("switches_max", 4);
        const { settings } = await storage.snapshot.loadAll();
        expect(runtimeSettings(settings).switches_max).toBe(4);
        const again = await storage.snapshot.loadOne({ kind: "settings", id: 0 });
        expect(again).toEqual({ kind: "settings", id: 0, rows: settings });
        await storage.settings.remove("switches_max");
        expect(runtimeSettings(await storage.settings.all()).switches_max).toBe(
          DEFAULT_SETTINGS.switches_max,
        );
      });
    });
  });
}
