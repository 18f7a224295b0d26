import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { AccountEvent } from "#domain/account-event.ts";
import type { AccountId } from "#domain/ids.ts";
import { QUARTER_MS } from "#domain/quarter-spend.ts";
import { unique } from "../storage/records.ts";
import { startApp, type TestApp } from "./harness.ts";

const ACCOUNT = { name: "a", platform: "anthropic", type: "api_key", credentials: { api_key: "k" } };
const UNTIL_MS = Date.UTC(2099, 0, 1);
let t: TestApp;

beforeAll(async () => {
  t = await startApp();
}, 60_000);
afterAll(async () => await t?.close());
afterEach(() => {
  t.world.vitals = {};
});

async function newAccount(fields: object = {}): Promise<AccountId> {
  const group = await t.admin("POST", "/groups", { name: unique("g"), platform: "anthropic" });
  const { status, json, text } = await t.admin("POST", "/accounts", {
    ...ACCOUNT,
    group_ids: [group.json.id],
    ...fields,
  });
  if (status !== 201) throw new Error(text);
  return json.id;
}

function append(accountId: AccountId, event: Partial<AccountEvent>): Promise<void> {
  return t.storage.accountEvents.append({
    accountId,
    kind: "cooled",
    reason: "429 with retry-after",
    cooling: undefined,
    model: undefined,
    untilMs: undefined,
    status: undefined,
    requestId: undefined,
    atMs: Date.UTC(2027, 0, 1),
    ...event,
  });
}

describe("the limits of an account", () => {
  test("have defaults that limit nothing", async () => {
    const { json } = await t.admin("GET", `/accounts/${await newAccount()}`);
    expect(json).toMatchObject({
      load_factor: null,
      base_rpm: null,
      rpm_strategy: "tiered",
      rpm_sticky_buffer: null,
      max_sessions: null,
      session_idle_minutes: 5,
      quota_usd: null,
      quota_daily_usd: null,
      quota_weekly_usd: null,
      quota_reset: "rolling",
      quota_reset_hour: 0,
      quota_reset_weekday: 1,
      quota_reset_timezone: "UTC",
      window_cost_limit_usd: null,
      window_cost_sticky_reserve_usd: "10",
      user_message_queue: null,
      unschedulable_rules: [],
      handled_statuses: null,
      is_pool: false,
      auto_pause_on_expired: true,
      cooling_until: null,
      cooling_reason: null,
    });
  });

  const RULE = { status: 403, keywords: ["quota"], minutes: 5 };
  const WRONG: [string, object][] = [
    ["/load_factor", { load_factor: 0 }],
    ["/max_sessions", { max_sessions: 129 }],
    ["/session_idle_minutes", { session_idle_minutes: 0 }],
    ["/rpm_strategy", { rpm_strategy: "other" }],
    ["/rpm_sticky_buffer", { rpm_sticky_buffer: -1 }],
    ["/quota_usd", { quota_usd: "-1" }],
    ["/quota_reset_hour", { quota_reset_hour: 24 }],
    ["/quota_reset_weekday", { quota_reset_weekday: 7 }],
    ["/window_cost_sticky_reserve_usd", { window_cost_sticky_reserve_usd: null }],
    ["/handled_statuses/0", { handled_statuses: [399] }],
    ["/handled_statuses", { handled_statuses: Array.from({ length: 101 }, () => 429) }],
    ["/unschedulable_rules/0/keywords", { unschedulable_rules: [{ ...RULE, keywords: [] }] }],
    ["/unschedulable_rules/0/keywords/0", { unschedulable_rules: [{ ...RULE, keywords: [""] }] }],
    ["/unschedulable_rules/1/minutes", { unschedulable_rules: [RULE, { ...RULE, minutes: 10_081 }] }],
    ["/unschedulable_rules/0/scope", { unschedulable_rules: [{ ...RULE, scope: "world" }] }],
    ["/unschedulable_rules", { unschedulable_rules: Array.from({ length: 51 }, () => RULE) }],
    ["/cooling_until", { cooling_until: null }],
  ];
  test.each(WRONG)("%s is refused when it does not fit", async (path, fields) => {
    const { status, json } = await t.admin("POST", "/accounts", { ...ACCOUNT, ...fields });
    expect([status, json.errors.map((error: { path: string }) => error.path)]).toEqual([400, [path]]);
  });

  test("know time zones by their names only", async () => {
    const id = await newAccount({ quota_reset_timezone: "America/New_York" });
    for (const quota_reset_timezone of ["Mars/Olympus", "+02:00", "-0500"]) {
      const answers = [
        await t.admin("POST", "/accounts", { ...ACCOUNT, quota_reset_timezone }),
        await t.admin("PATCH", `/accounts/${id}`, { quota_reset_timezone }),
      ];
      for (const { status, json } of answers) {
        expect([status, json.errors[0].path]).toEqual([422, "/quota_reset_timezone"]);
      }
    }
  });

  test("rules are kept in lower case and are about the account unless they say otherwise", async () => {
    const id = await newAccount({ unschedulable_rules: [{ ...RULE, keywords: ["Quota EXCEEDED"] }] });
    expect((await t.admin("GET", `/accounts/${id}`)).json.unschedulable_rules).toEqual([
      { ...RULE, keywords: ["quota exceeded"], scope: "account" },
    ]);
  });
});

describe("the events of an account", () => {
  test("are shown page by page, newest first, with everything that is known of each", async () => {
    const id = await newAccount();
    const cooled = { cooling: "rate_limited", untilMs: UNTIL_MS, status: 429, requestId: "req_1" } as const;
    await append(id, cooled);
    await append(id, { kind: "circuit_opened", reason: "5 failures" });
    const first = (await t.admin("GET", `/accounts/${id}/events?limit=1`)).json;
    expect(first.data).toMatchObject([
      { kind: "circuit_opened", reason: "5 failures", until: null, cooling: null },
    ]);
    const second = await t.admin("GET", `/accounts/${id}/events?limit=1&cursor=${first.next_cursor}`);
    expect(second.json).toEqual({
      data: [
        {
          id: expect.any(Number),
          kind: "cooled",
          reason: "429 with retry-after",
          cooling: "rate_limited",
          model: null,
          until: "2099-01-01T00:00:00.000Z",
          status: 429,
          request_id: "req_1",
          at: "2027-01-01T00:00:00.000Z",
        },
      ],
      next_cursor: null,
    });
    expect((await t.admin("GET", `/accounts/${id}`)).json).toMatchObject({
      cooling_until: "2099-01-01T00:00:00.000Z",
      cooling_reason: "rate_limited",
    });
  });

  test("are shown of a deleted account too, and of none that never was", async () => {
    const id = await newAccount();
    expect((await t.admin("GET", `/accounts/${id}/events`)).json).toEqual({ data: [], next_cursor: null });
    await append(id, {});
    await t.admin("DELETE", `/accounts/${id}`);
    expect((await t.admin("GET", `/accounts/${id}/events`)).json.data).toHaveLength(1);
    expect((await t.admin("GET", "/accounts/999999/events")).status).toBe(404);
  });
});

describe("recovery", () => {
  test("ends an error and a cooling everywhere, is told to every thread, and goes on record", async () => {
    const id = await newAccount();
    await append(id, { cooling: "forbidden", untilMs: UNTIL_MS });
    await append(id, { kind: "failed", reason: "key revoked" });
    expect((await t.admin("GET", `/accounts/${id}`)).json).toMatchObject({
      status: "error",
      status_reason: "key revoked",
    });
    const [recovered, announced] = [t.world.recovered.length, t.announced.length];
    const { status, json } = await t.admin("POST", `/accounts/${id}/recover`);
    expect(status).toBe(200);
    expect(json).toMatchObject({
      status: "active",
      status_reason: null,
      cooling_until: null,
      cooling_reason: null,
    });
    expect(t.world.recovered.slice(recovered)).toEqual([`account ${id}`, `models of ${id}`]);
    expect(t.announced.slice(announced)).toEqual([{ kind: "account", id }]);
    const { data } = (await t.admin("GET", `/accounts/${id}/events?limit=1`)).json;
    expect(data).toMatchObject([{ kind: "recovered" }]);
  });

  test("leaves a disabled account disabled, and touches nothing that does not exist", async () => {
    const id = await newAccount({ status: "disabled" });
    expect((await t.admin("POST", `/accounts/${id}/recover`)).json.status).toBe("disabled");
    const recovered = t.world.recovered.length;
    expect((await t.admin("POST", "/accounts/999999/recover")).status).toBe(404);
    expect(t.world.recovered).toHaveLength(recovered);
  });
});

describe("the status of an account", () => {
  test("of one that nobody has used shows that nothing is known", async () => {
    const id = await newAccount();
    expect((await t.admin("GET", `/accounts/${id}/status`)).json).toMatchObject({
      cooling_until: null,
      cooling_reason: null,
      circuit: "closed",
      first_token_ms: null,
      error_rate: 0,
      headroom: 1,
      requests_in_minute: 0,
      active_sessions: 0,
      last_used_at: null,
      schedulable: true,
      reasons: [],
    });
  });

  test("says what it is measured by and every passing reason why it is not used", async () => {
    const id = await newAccount({ base_rpm: 10, max_sessions: 2, session_idle_minutes: 7 });
    const asked: number[] = [];
    t.world.vitals = {
      coolingUntilMs: UNTIL_MS,
      coolingReason: "overloaded",
      circuit: () => "open",
      firstTokenMs: 812.5,
      errorRate: 0.25,
      headroom: () => 0.5,
      requestsInMinute: () => 10,
      activeSessions: (idleMs) => {
        asked.push(idleMs);
        return 2;
      },
      lastUsedMs: Date.UTC(2027, 0, 1),
    };
    const { json } = await t.admin("GET", `/accounts/${id}/status`);
    expect(json).toMatchObject({
      cooling_until: "2099-01-01T00:00:00.000Z",
      cooling_reason: "overloaded",
      circuit: "open",
      first_token_ms: 812.5,
      error_rate: 0.25,
      headroom: 0.5,
      requests_in_minute: 10,
      active_sessions: 2,
      last_used_at: "2027-01-01T00:00:00.000Z",
      schedulable: false,
    });
    expect(json.reasons).toHaveLength(4);
    expect(json.reasons.join()).toMatch(
      /2099-01-01T00:00:00.000Z because of overloaded.*circuit.*10 req.*2 conv/,
    );
    expect(asked).toEqual([7 * 60_000]);
  });

  test("a cooling that has passed and limits that are not reached are no reasons", async () => {
    const id = await newAccount({ base_rpm: 11, max_sessions: 3, expires_at: "2020-01-01T00:00:00Z" });
    await t.admin("PATCH", `/accounts/${id}`, { auto_pause_on_expired: false });
    t.world.vitals = {
      coolingUntilMs: 1,
      coolingReason: "overloaded",
      circuit: () => "half-open",
      requestsInMinute: () => 10,
      activeSessions: () => 2,
    };
    const { json } = await t.admin("GET", `/accounts/${id}/status`);
    expect(json).toMatchObject({ cooling_until: null, cooling_reason: null, reasons: [], schedulable: true });
  });
});

describe("what an account has cost", () => {
  const HOUR_MS = 3_600_000;
  /** Costs of so many dollars, so many hours ago. */
  const spend = (accountId: AccountId, ...costs: (readonly [hoursAgo: number, usd: number])[]): void =>
    t.spend.apply(
      costs.map(([hoursAgo, usd]) => ({
        accountId,
        quarterMs: Math.floor((Date.now() - hoursAgo * HOUR_MS) / QUARTER_MS) * QUARTER_MS,
        costNanos: usd * 1e9,
      })),
    );

  test("is shown beside its quotas, window by window, in lists too", async () => {
    const id = await newAccount({ quota_daily_usd: "1", window_cost_limit_usd: "1" });
    const nothing = { quota_used_usd: "0", quota_daily_used_usd: "0", quota_reset_at: null };
    expect((await t.admin("GET", `/accounts/${id}`)).json).toMatchObject(nothing);
    spend(id, [7 * 24 + 1, 16], [25, 8], [6, 4.000000001], [0, 0.25]);
    const { json } = await t.admin("GET", `/accounts/${id}`);
    expect(json).toMatchObject({
      quota_used_usd: "28.250000001",
      quota_weekly_used_usd: "12.250000001",
      quota_daily_used_usd: "4.250000001",
      window_cost_used_usd: "0.25",
    });
    const resetMs = Date.parse(json.quota_reset_at);
    expect(resetMs).toBeWithin(Date.now() + 17 * HOUR_MS, Date.now() + 19 * HOUR_MS);
    expect((await t.admin("GET", "/accounts?limit=1")).json.data).toEqual([json]);
    const unlimited = await t.admin("PATCH", `/accounts/${id}`, { quota_daily_usd: null });
    expect(unlimited.json).toMatchObject({ quota_daily_used_usd: "4.250000001", quota_reset_at: null });
  });

  test("within a day that begins at a fixed time is counted from then on", async () => {
    const now = new Date();
    const id = await newAccount({ quota_reset: "fixed", quota_reset_hour: now.getUTCHours() });
    await t.admin("PATCH", `/accounts/${id}`, { quota_daily_usd: "0.5" });
    spend(id, [1.25, 2], [0, 1]);
    const { json } = await t.admin("GET", `/accounts/${id}`);
    expect([json.quota_used_usd, json.quota_daily_used_usd, json.window_cost_used_usd]).toEqual([
      "3",
      "1",
      "3",
    ]);
    const reset = new Date(now);
    reset.setUTCMinutes(0, 0, 0);
    expect(json.quota_reset_at).toBe(new Date(reset.getTime() + 24 * HOUR_MS).toISOString());
  });
});

describe("bindings", () => {
  test("are dropped by what is asked for, and all of them without", async () => {
    const before = t.world.flushed.length;
    const flushed: number[] = [];
    for (const query of ["", "?group_id=3", "?account_id=4", "?group_id=3&account_id=4"]) {
      const { status, json } = await t.admin("DELETE", `/sticky${query}`);
      expect(status).toBe(200);
      flushed.push(json.flushed);
    }
    expect(t.world.flushed.slice(before) as object[]).toEqual([
      {},
      { groupId: 3 },
      { accountId: 4 },
      { groupId: 3, accountId: 4 },
    ]);
    expect(flushed).toEqual([1, 2, 3, 4].map((nth) => before + nth));
  });

  test("are not dropped when the question is not understood", async () => {
    const before = t.world.flushed.length;
    for (const query of ["?group=3", "?group_id=x", "?group_id=0", "?group_id=1&group_id=2"]) {
      expect((await t.admin("DELETE", `/sticky${query}`)).status).toBe(400);
    }
    expect(t.world.flushed).toHaveLength(before);
  });
});

describe("the trace of a request", () => {
  test("is shown as it was kept, and of no other request", async () => {
    const trace = { request_id: "req_abc", steps: [{ at_ms: 0, step: "queue" }] };
    t.world.traces.set("req_abc", trace);
    expect(await t.admin("GET", "/requests/req_abc/trace")).toMatchObject({ status: 200, json: trace });
    for (const id of ["req_other", "%00", "a%2Fb", "x".repeat(200)]) {
      expect((await t.admin("GET", `/requests/${id}/trace`)).status).toBe(404);
    }
  });
});
