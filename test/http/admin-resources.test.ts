import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AccountId, ApiKeyId } from "#domain/ids.ts";
import { usageLine } from "#domain/usage-line.ts";
import { placeOfAccount } from "#snapshot/rows.ts";
import { recordOf, unique } from "../storage/records.ts";
import { startApp, type TestApp } from "./harness.ts";

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
let t: TestApp;

beforeAll(async () => {
  t = await startApp();
}, 60_000);
afterAll(async () => await t?.close());

async function create(path: string, body: object): Promise<{ id: number; [field: string]: unknown }> {
  const { status, json, text } = await t.admin("POST", path, body);
  if (status !== 201) throw new Error(text);
  return json;
}

const newGroup = (fields: object = {}) =>
  create("/groups", { name: unique("g"), platform: "anthropic", ...fields });
const newUser = (fields: object = {}) => create("/users", { name: "Ada", ...fields });
const newAccount = (fields: object = {}) =>
  create("/accounts", {
    name: "main",
    platform: "anthropic",
    type: "api_key",
    credentials: { api_key: "upstream-secret-1" },
    ...fields,
  });

describe("every resource", () => {
  /** What it takes to make one of each, and one change of it. */
  const RESOURCES: Record<string, { make: () => Promise<object>; change: object }> = {
    "/groups": {
      make: async () => ({ name: unique("g"), platform: "gemini" }),
      change: { status: "disabled", monthly_limit_usd: "10.5", claude_code_only: true },
    },
    "/accounts": {
      make: async () => ({
        name: "a",
        platform: "anthropic",
        type: "api_key",
        credentials: { api_key: "k" },
        group_ids: [(await newGroup()).id],
      }),
      change: {
        priority: 1,
        load_factor: 7,
        base_rpm: 60,
        rpm_strategy: "sticky_exempt",
        rpm_sticky_buffer: 0,
        max_sessions: 128,
        session_idle_minutes: 1_440,
        quota_usd: "100",
        quota_daily_usd: "10.000000001",
        quota_weekly_usd: "50",
        quota_reset: "fixed",
        quota_reset_hour: 23,
        quota_reset_weekday: 0,
        quota_reset_timezone: "Europe/Berlin",
        window_cost_limit_usd: "5",
        window_cost_sticky_reserve_usd: "0",
        user_message_queue: "throttle",
        unschedulable_rules: [{ status: 403, keywords: ['a "quoted" word'], minutes: 5, scope: "model" }],
        handled_statuses: [401, 429],
        is_pool: true,
        auto_pause_on_expired: false,
        model_mapping: { "claude-*": "claude-x" },
        expires_at: "2027-01-01T00:00:00.000Z",
      },
    },
    "/users": { make: async () => ({ name: "Ada" }), change: { name: "Grace", concurrency: 0 } },
    "/api-keys": {
      make: async () => ({ user_id: (await newUser()).id, group_id: (await newGroup()).id }),
      change: {
        name: "desktop",
        quota_usd: "0.000000001",
        ip_allow: ["10.0.0.0/8", "::1"],
        trace_header: true,
      },
    },
    "/subscriptions": {
      make: async () => ({
        user_id: (await newUser()).id,
        group_id: (await newGroup({ subscription_type: "subscription" })).id,
        starts_at: "2026-01-01T00:00:00.000Z",
        expires_at: "2027-01-01T00:00:00.000Z",
      }),
      change: { status: "suspended", expires_at: "2028-01-01T00:00:00.000Z" },
    },
    "/error-rules": {
      make: async () => ({ name: unique("rule"), statuses: [400, 529] }),
      change: {
        enabled: false,
        priority: 1,
        platforms: ["anthropic", "gemini"],
        statuses: [],
        keywords: ["too long", 'with {braces}, and "quotes"'],
        match: "all",
        response_status: 413,
        message: "Two\nlines",
        skip_monitoring: true,
      },
    },
  };

  test.each(Object.entries(RESOURCES))(
    "%s can be created, shown, changed and deleted",
    async (path, { make, change }) => {
      const created = await t.admin("POST", path, await make());
      expect(created.status).toBe(201);
      const { id, key: _, ...fields } = created.json;
      expect(created.headers.get("location")).toBe(`/admin${path}/${id}`);
      expect(Number.isInteger(id)).toBe(true);
      expect(fields.created_at).toMatch(RFC3339);

      const shown = await t.admin("GET", `${path}/${id}`);
      expect(shown).toMatchObject({ status: 200, json: { id, ...fields } });

      const changed = await t.admin("PATCH", `${path}/${id}`, change);
      expect(changed).toMatchObject({
        status: 200,
        json: { ...fields, ...change, updated_at: expect.any(String) },
      });
      expect((await t.admin("GET", `${path}/${id}`)).json).toEqual(changed.json);

      const deleted = await t.admin("DELETE", `${path}/${id}`);
      expect([deleted.status, deleted.text]).toEqual([204, ""]);
      for (const [method, body] of [["GET"], ["PATCH", change], ["DELETE"]] as const) {
        expect((await t.admin(method, `${path}/${id}`, body)).status).toBe(404);
      }
      const kind = path.slice(1, -1);
      expect(t.announced.filter((notice) => notice.kind === kind && notice.id === id)).toHaveLength(3);
    },
  );

  test.each(Object.keys(RESOURCES))("%s are listed page by page, newest first, each once", async (path) => {
    const ids: number[] = [];
    for (let count = 0; count < 5; count++) {
      ids.unshift((await create(path, (await RESOURCES[path]?.make()) ?? {})).id);
    }
    const seen: number[] = [];
    let cursor: string | null = "";
    for (let page = 0; seen.length < 5; page++) {
      expect(page).toBeLessThan(3);
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const { json } = await t.admin("GET", `${path}?limit=2${query}`);
      expect(json.data.length).toBeLessThanOrEqual(2);
      seen.push(...json.data.map((row: { id: number }) => row.id));
      cursor = json.next_cursor;
    }
    expect(seen.slice(0, 5)).toEqual(ids);
  });

  test("the last page has no cursor", async () => {
    const { json } = await t.admin("GET", "/groups?limit=1000");
    expect(json.next_cursor).toBeNull();
  });
});

describe("changes", () => {
  test("what is absent stays and null clears", async () => {
    const user = await newUser({ email: `${unique("ada")}@example.com`, concurrency: 7 });
    const changed = await t.admin("PATCH", `/users/${user.id}`, { email: null });
    expect(changed.json).toMatchObject({ name: "Ada", email: null, concurrency: 7 });
    expect((await t.admin("PATCH", `/users/${user.id}`, {})).json).toMatchObject({
      name: "Ada",
      email: null,
    });
  });

  test("an announcement that fails does not undo or hide a change that is stored", async () => {
    t.world.announceFails = true;
    const user = await newUser();
    t.world.announceFails = false;
    expect((await t.admin("GET", `/users/${user.id}`)).status).toBe(200);
    expect(t.logged.some((line) => line.startsWith("admin.announcement_failed"))).toBe(true);
  });

  test("groups of an account are replaced as a whole", async () => {
    const [one, two] = [await newGroup(), await newGroup()];
    const account = await newAccount({ group_ids: [one.id] });
    const changed = await t.admin("PATCH", `/accounts/${account.id}`, { group_ids: [two.id] });
    expect(changed.json.group_ids).toEqual([two.id]);
    expect((await t.admin("PATCH", `/accounts/${account.id}`, { group_ids: [] })).json.group_ids).toEqual([]);
  });
});

describe("secrets", () => {
  test("credentials are sealed for their row and no answer holds them", async () => {
    const { id } = await newAccount();
    const answers = [
      await t.admin("GET", `/accounts/${id}`),
      await t.admin("GET", "/accounts?limit=1000"),
      await t.admin("PATCH", `/accounts/${id}`, { credentials: { api_key: "upstream-secret-2" } }),
      await t.admin("PATCH", `/accounts/${id}`, {
        credentials: { api_key: "upstream-secret-3 with spaces" },
      }),
    ];
    for (const { text } of answers) expect(text).not.toContain("upstream-secret");
    expect(t.logged.join("\n")).not.toContain("upstream-secret");
    const sealed = (await t.storage.accounts.get(id as AccountId))?.credentialsSealed ?? "";
    expect(sealed).not.toContain("secret");
    expect(JSON.parse(t.vault.open(sealed, placeOfAccount(id)))).toEqual({ api_key: "upstream-secret-2" });
  });

  test("an API key is in the answer to its creation alone, and only its keyed hash is stored", async () => {
    const body = { user_id: (await newUser()).id, group_id: (await newGroup()).id, name: "laptop" };
    const { id, key } = (await create("/api-keys", body)) as { id: number; key: string };
    expect(key).toMatch(/^sk-[\w-]{48,}$/);
    for (const path of [`/api-keys/${id}`, "/api-keys?limit=1000"]) {
      expect((await t.admin("GET", path)).text).not.toContain(key);
    }
    const row = await t.storage.apiKeys.get(id as ApiKeyId);
    expect(row).toMatchObject({ keyHash: t.vault.hashApiKey(key), keyHint: key.slice(-4), name: "laptop" });
    expect((await create("/api-keys", body))["key"]).not.toBe(key);
  });
});

describe("balances", () => {
  test("move by amounts, so that movements at the same time all count", async () => {
    const { id } = await newUser({ balance_usd: "10" });
    const moves = ["1.5", "-2", "0.000000001", "5"].map((amount_usd) =>
      t.admin("POST", `/users/${id}/balance`, { amount_usd, reason: "test" }),
    );
    expect((await Promise.all(moves)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await t.admin("GET", `/users/${id}`)).json.balance_usd).toBe("14.500000001");
  });

  test("cannot be set, and the refusal says how they move", async () => {
    const { id } = await newUser();
    const { status, json } = await t.admin("PATCH", `/users/${id}`, { balance_usd: "5" });
    expect(status).toBe(400);
    expect(json.errors[0].path).toBe("/balance_usd");
    expect(json.detail).toContain("/balance");
  });

  test("a sum beyond what can be stored is refused and changes nothing", async () => {
    const { id } = await newUser({ balance_usd: "999999999" });
    const statuses: number[] = [];
    for (let move = 0; move < 10; move++) {
      statuses.push((await t.admin("POST", `/users/${id}/balance`, { amount_usd: "999999999" })).status);
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 200, 200, 422, 422]);
    expect((await t.admin("GET", `/users/${id}`)).json.balance_usd).toBe("8999999991");
  });
});

describe("live status", () => {
  test("shows slots and the line of users and accounts", async () => {
    t.world.slots = { inFlight: 2, waiting: 1, limit: 2, oldestWaitMs: 40 };
    const [user, account] = [await newUser(), await newAccount({ group_ids: [(await newGroup()).id] })];
    const live = { in_flight: 2, waiting: 1, limit: 2, oldest_wait_ms: 40 };
    expect((await t.admin("GET", `/users/${user.id}/status`)).json).toEqual({ id: user.id, ...live });
    const status = (await t.admin("GET", `/accounts/${account.id}/status`)).json;
    expect(status).toMatchObject({ id: account.id, ...live, schedulable: true, reasons: [] });
    t.world.slots = { inFlight: 0, waiting: 0, limit: 0, oldestWaitMs: 0 };
    expect((await t.admin("GET", `/users/${user.id}/status`)).json.limit).toBe(5);
  });

  test("says every reason why an account is not used", async () => {
    const group = await newGroup({ status: "disabled" });
    const account = await newAccount({
      group_ids: [group.id],
      status: "disabled",
      schedulable: false,
      expires_at: "2020-01-01T00:00:00Z",
    });
    await t.storage.accounts.update(account.id as AccountId, { credentialsSealed: "v1.other.key.sealed" });
    const { json } = await t.admin("GET", `/accounts/${account.id}/status`);
    expect(json.schedulable).toBe(false);
    expect(json.reasons).toHaveLength(5);
  });

  test("nothing is shown of users and accounts that do not exist", async () => {
    for (const path of ["/users/999999/status", "/accounts/999999/status"]) {
      expect((await t.admin("GET", path)).status).toBe(404);
    }
    expect((await t.admin("POST", "/users/999999/balance", { amount_usd: "1" })).status).toBe(404);
  });
});

describe("usage", () => {
  test("is found by every filter, and only what fits", async () => {
    const ids = { userId: 7_001, apiKeyId: 7_002, groupId: 7_003, accountId: 7_004 };
    const mine = recordOf(ids as never, {
      model: unique("model"),
      upstreamRequestId: unique("up"),
      costNanos: 1_500n,
    });
    const other = recordOf(
      { userId: 7_101, apiKeyId: 7_102, groupId: 7_103, accountId: undefined } as never,
      {
        status: "client_gone",
        costNanos: undefined,
        createdAtMs: Date.UTC(2026, 5, 1),
      },
    );
    await t.storage.usage.book([mine, other].map(usageLine));
    const filters = [
      "user_id=7001",
      "api_key_id=7002",
      "group_id=7003",
      "account_id=7004",
      `model=${mine.model}`,
      `request_id=${mine.requestId}`,
      `request_id=${mine.upstreamRequestId}`,
      "status=completed",
      "to=2026-03-01T00:00:00%2B01:00",
    ];
    for (const filter of filters) {
      const { json, text } = await t.admin("GET", `/usage?${filter}`);
      expect([filter, json?.data?.map((row: { request_id: string }) => row.request_id), text]).toEqual([
        filter,
        [mine.requestId],
        text,
      ]);
    }
    const [row] = (await t.admin("GET", "/usage?from=2026-06-01T00:00:00Z")).json.data;
    expect(row).toMatchObject({
      request_id: other.requestId,
      account_id: null,
      cost_usd: null,
      first_token_ms: null,
      status: "client_gone",
      created_at: "2026-06-01T00:00:00.000Z",
    });
  });

  test("is read after the ledger has booked, and also when it cannot", async () => {
    const before = t.world.flushes;
    t.world.flushFails = true;
    expect((await t.admin("GET", "/usage?limit=1")).status).toBe(200);
    t.world.flushFails = false;
    expect(t.world.flushes).toBe(before + 1);
  });
});
