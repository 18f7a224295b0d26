import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AttemptRecord } from "#domain/attempt-record.ts";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import { SPAN_MS } from "#domain/spend-window.ts";
import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import { recordOf, unique } from "../storage/records.ts";
import { type Answer, startApp, type TestApp } from "./harness.ts";

const NOBODY = 999_999_999;
const MINUTE_MS = 60_000;
const IN_2099 = "2099-01-01T00:00:00.000Z";
let t: TestApp;

beforeAll(async () => {
  t = await startApp();
}, 60_000);
afterAll(async () => await t?.close());

async function create(path: string, body: object): Promise<number> {
  const { status, json, text } = await t.admin("POST", path, body);
  if (status !== 201) throw new Error(text);
  return json.id;
}

const newUser = (balance_usd = "0") => create("/users", { name: "Ada", balance_usd });
const newGroup = (subscription_type = "standard") =>
  create("/groups", { name: unique("g"), platform: "anthropic", subscription_type });
const momentOf = (ms: number) => new Date(ms).toISOString();
const pathsOf = ({ json }: Answer): string[] => json.errors.map(({ path }: { path: string }) => path);
const idsOf = ({ json }: Answer): number[] => json.data.map(({ id }: { id: number }) => id);

/** A user, a group and a key of its own that a request may name. */
async function newCast(type?: string) {
  const userId = await newUser();
  const groupId = await newGroup(type);
  const apiKeyId = await create("/api-keys", { user_id: userId, group_id: groupId });
  return {
    userId: userId as UserId,
    groupId: groupId as GroupId,
    apiKeyId: apiKeyId as ApiKeyId,
    accountId: 1 as AccountId,
  };
}

const newSubscription = async (body: object = {}) => {
  const cast = await newCast("subscription");
  const ids = { user_id: cast.userId, group_id: cast.groupId };
  return { ...cast, id: await create("/subscriptions", { ...ids, expires_at: IN_2099, ...body }) };
};

/** Books a request that ended so many milliseconds ago. */
async function book(cast: Parameters<typeof recordOf>[0], agoMs: number, changes: Partial<UsageRecord>) {
  const record = recordOf(cast, { createdAtMs: Date.now() - agoMs, durationMs: 0, ...changes });
  await t.storage.usage.book([usageLine(record)]);
  return record;
}

test("how far the books are behind is shown over all threads", async () => {
  expect((await t.admin("GET", "/ledger")).json).toEqual({
    records: 3,
    oldest_seconds: 1.5,
    journal_bytes: 4_096,
    journal_bytes_max: 1_000_000,
    accepts_requests: true,
  });
});

describe("balances", () => {
  test("every movement is on record with its reason and the balance after it, newest first, page by page", async () => {
    const user = await newUser("10");
    const key = unique("invoice");
    t.announced.splice(0);
    await t.admin("POST", `/users/${user}/balance`, { amount_usd: "2.5", reason: "gift" });
    await t.admin("POST", `/users/${user}/balance`, { amount_usd: "-20.000000001", idempotency_key: key });
    const path = `/users/${user}/balance?limit=1`;
    const newest = (await t.admin("GET", path)).json;
    expect(newest.data).toMatchObject([
      {
        amount_usd: "-20.000000001",
        reason: "adjustment",
        idempotency_key: key,
        balance_after_usd: "-7.500000001",
      },
    ]);
    const older = (await t.admin("GET", `${path}&cursor=${newest.next_cursor}`)).json;
    expect(older.data).toMatchObject([{ amount_usd: "2.5", reason: "gift", balance_after_usd: "12.5" }]);
    expect(older.data[0].idempotency_key).toMatch(/^req_/);
    const oldest = (await t.admin("GET", `${path}&cursor=${older.next_cursor}`)).json;
    expect(oldest.data).toMatchObject([
      { amount_usd: "10", reason: "first balance", balance_after_usd: "10" },
    ]);
    expect(oldest.next_cursor).toBeNull();
    expect(t.announced).toEqual([
      { kind: "user", id: user },
      { kind: "user", id: user },
    ]);
  });

  test("move once under the same idempotency key, from however many sides it is asked for", async () => {
    const user = await newUser();
    const body = { amount_usd: "5", reason: "invoice", idempotency_key: unique("key") };
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => t.admin("POST", `/users/${user}/balance`, body)),
    );
    for (const { status, json } of answers) expect([status, json.balance_usd]).toEqual([200, "5"]);
    expect((await t.admin("GET", `/users/${user}/balance`)).json.data).toHaveLength(1);
  });

  test("do not move by a key that was used for anything else", async () => {
    const [user, other] = [await newUser(), await newUser()];
    const body = { amount_usd: "5", reason: "invoice", idempotency_key: unique("key") };
    expect((await t.admin("POST", `/users/${user}/balance`, body)).status).toBe(200);
    const others: [number, object][] = [
      [other, body],
      [user, { ...body, amount_usd: "6" }],
      [user, { ...body, reason: "another" }],
    ];
    for (const [id, changed] of others) {
      const answer = await t.admin("POST", `/users/${id}/balance`, changed);
      expect(answer.status).toBe(409);
      expect(pathsOf(answer)).toEqual(["/idempotency_key"]);
    }
    expect((await t.admin("GET", `/users/${user}`)).json.balance_usd).toBe("5");
    expect((await t.admin("GET", `/users/${other}`)).json.balance_usd).toBe("0");
  });

  test("the record outlives the user, and there is none of users that never were", async () => {
    const user = await newUser();
    await t.admin("POST", `/users/${user}/balance`, { amount_usd: "1" });
    expect((await t.admin("DELETE", `/users/${user}`)).status).toBe(204);
    expect((await t.admin("GET", `/users/${user}/balance`)).json.data).toHaveLength(1);
    expect((await t.admin("GET", `/users/${NOBODY}/balance`)).status).toBe(404);
  });
});

describe("subscriptions", () => {
  test("begin at once when nothing else is said, with windows that hold nothing", async () => {
    const before = Date.now();
    const { id } = await newSubscription();
    const { json } = await t.admin("GET", `/subscriptions/${id}`);
    expect(json).toMatchObject({ status: "active", expires_at: IN_2099 });
    expect(Date.parse(json.starts_at)).toBeWithin(before, Date.now() + 1);
    for (const window of ["daily", "weekly", "monthly"]) {
      expect([json[`${window}_usage_usd`], json[`${window}_started_at`], json[`${window}_reset_at`]]).toEqual(
        ["0", null, null],
      );
    }
  });

  test("show what each window holds while it runs, and nothing of one that has ended", async () => {
    const { id, ...cast } = await newSubscription({ starts_at: "2020-01-01T00:00:00Z" });
    const subscriptionId = id as SubscriptionId;
    const agoMs = SPAN_MS["1d"] + MINUTE_MS;
    const record = await book(cast, agoMs, { costNanos: 2_500_000_000n, subscriptionId });
    const began = record.createdAtMs;
    const { json } = await t.admin("GET", `/subscriptions/${id}`);
    expect(json).toMatchObject({
      daily_usage_usd: "0",
      daily_started_at: null,
      daily_reset_at: null,
      weekly_usage_usd: "2.5",
      weekly_started_at: momentOf(began),
      weekly_reset_at: momentOf(began + SPAN_MS["7d"]),
      monthly_usage_usd: "2.5",
      monthly_started_at: momentOf(began),
      monthly_reset_at: momentOf(began + SPAN_MS["30d"]),
    });
    const usage = (await t.admin("GET", `/usage?request_id=${record.requestId}`)).json.data;
    expect(usage).toMatchObject([{ subscription_id: id }]);
  });

  test("are reset on demand, and every thread is told", async () => {
    const { id, ...cast } = await newSubscription();
    await book(cast, 0, { costNanos: 1n, subscriptionId: id as SubscriptionId });
    expect((await t.admin("GET", `/subscriptions/${id}`)).json.daily_usage_usd).toBe("0.000000001");
    t.announced.splice(0);
    const reset = await t.admin("POST", `/subscriptions/${id}/reset`);
    expect(reset).toMatchObject({
      status: 200,
      json: { daily_usage_usd: "0", daily_started_at: null, monthly_usage_usd: "0" },
    });
    expect((await t.admin("GET", `/subscriptions/${id}`)).json).toEqual(reset.json);
    expect(t.announced).toEqual([{ kind: "subscription", id }]);
    expect((await t.admin("POST", `/subscriptions/${NOBODY}/reset`)).status).toBe(404);
  });

  test("are found by user, group and status, and only what fits", async () => {
    const [one, other] = [await newSubscription(), await newSubscription()];
    await t.admin("PATCH", `/subscriptions/${other.id}`, { status: "cancelled" });
    const of = async (query: string) => idsOf(await t.admin("GET", `/subscriptions?${query}`));
    expect(await of(`user_id=${one.userId}`)).toEqual([one.id]);
    expect(await of(`group_id=${other.groupId}`)).toEqual([other.id]);
    expect(await of(`user_id=${one.userId}&group_id=${other.groupId}`)).toEqual([]);
    expect(await of("status=cancelled&limit=1000")).toContain(other.id);
    expect(await of("status=active&limit=1000")).not.toContain(other.id);
  });

  test("a user has one in a group at a time; a cancelled one leaves room", async () => {
    const { id, userId, groupId } = await newSubscription();
    const body = { user_id: userId, group_id: groupId, expires_at: IN_2099 };
    const second = await t.admin("POST", "/subscriptions", body);
    expect(second.status).toBe(409);
    expect(second.json.detail).toContain("already");
    await t.admin("PATCH", `/subscriptions/${id}`, { status: "cancelled" });
    expect((await t.admin("POST", "/subscriptions", body)).status).toBe(201);
    expect((await t.admin("PATCH", `/subscriptions/${id}`, { status: "active" })).status).toBe(409);
  });

  test("that could never pay are refused, and the field is named", async () => {
    const user_id = await newUser();
    const [group_id, standard] = [await newGroup("subscription"), await newGroup()];
    const whole = { user_id, group_id, expires_at: IN_2099 };
    const requests: [object, string][] = [
      [{ ...whole, group_id: standard }, "/group_id"],
      [{ ...whole, group_id: NOBODY }, "/group_id"],
      [{ ...whole, user_id: NOBODY }, "/user_id"],
      [{ ...whole, starts_at: IN_2099 }, "/expires_at"],
      [{ ...whole, expires_at: "2020-01-01T00:00:00Z" }, "/expires_at"],
    ];
    for (const [body, path] of requests) {
      const answer = await t.admin("POST", "/subscriptions", body);
      expect([answer.status, path, pathsOf(answer)]).toEqual([422, path, [path]]);
    }
    const id = await create("/subscriptions", whole);
    const late = await t.admin("PATCH", `/subscriptions/${id}`, { starts_at: IN_2099 });
    expect([late.status, pathsOf(late)]).toEqual([422, ["/starts_at"]]);
    const early = await t.admin("PATCH", `/subscriptions/${id}`, { expires_at: "2020-01-01T00:00:00Z" });
    expect([early.status, pathsOf(early)]).toEqual([422, ["/expires_at"]]);
    for (const missing of ["user_id", "group_id", "expires_at"]) {
      const answer = await t.admin("POST", "/subscriptions", { ...whole, [missing]: undefined });
      expect([answer.status, pathsOf(answer)]).toEqual([400, [`/${missing}`]]);
    }
  });

  test("keep their group from being deleted, and go with their user", async () => {
    const user_id = await newUser();
    const group_id = await newGroup("subscription");
    const id = await create("/subscriptions", { user_id, group_id, expires_at: IN_2099 });
    expect((await t.admin("DELETE", `/groups/${group_id}`)).status).toBe(409);
    expect((await t.admin("DELETE", `/users/${user_id}`)).status).toBe(204);
    expect((await t.admin("GET", `/subscriptions/${id}`)).status).toBe(404);
  });
});

describe("windows of API keys", () => {
  test("show what they hold while they run and when they end, and are reset on demand", async () => {
    const cast = await newCast();
    const path = `/api-keys/${cast.apiKeyId}`;
    const { createdAtMs } = await book(cast, SPAN_MS["5h"] + MINUTE_MS, { costNanos: 3n });
    const { json } = await t.admin("GET", path);
    expect(json).toMatchObject({
      usage_5h_usd: "0",
      reset_5h_at: null,
      usage_1d_usd: "0.000000003",
      reset_1d_at: momentOf(createdAtMs + SPAN_MS["1d"]),
      usage_7d_usd: "0.000000003",
      reset_7d_at: momentOf(createdAtMs + SPAN_MS["7d"]),
    });
    t.announced.splice(0);
    const reset = await t.admin("POST", `${path}/reset-windows`);
    const unspent = { usage_1d_usd: "0", reset_1d_at: null, usage_7d_usd: "0", reset_7d_at: null };
    expect(reset).toMatchObject({
      status: 200,
      json: { ...unspent, quota_used_usd: json.quota_used_usd },
    });
    expect((await t.admin("GET", path)).json).toEqual(reset.json);
    expect(t.announced).toEqual([{ kind: "api-key", id: cast.apiKeyId }]);
    expect((await t.admin("POST", `/api-keys/${NOBODY}/reset-windows`)).status).toBe(404);
  });
});

describe("rates of users", () => {
  test("are set, replaced, listed by group and removed, and every thread is told each time", async () => {
    const user = await newUser();
    const [one, two] = [await newGroup(), await newGroup()];
    const path = `/users/${user}/rates`;
    t.announced.splice(0);
    for (const [group_id, rate_multiplier] of [
      [two, "0"],
      [one, "2"],
      [one, "0.8"],
    ]) {
      const body = { group_id, rate_multiplier };
      expect(await t.admin("POST", path, body)).toMatchObject({ status: 200, json: body });
    }
    expect((await t.admin("GET", path)).json).toEqual({
      data: [
        { group_id: one, rate_multiplier: "0.8" },
        { group_id: two, rate_multiplier: "0" },
      ],
    });
    expect((await t.admin("DELETE", `${path}?group_id=${one}`)).status).toBe(204);
    expect((await t.admin("DELETE", `${path}?group_id=${one}`)).status).toBe(404);
    expect((await t.admin("GET", path)).json.data).toEqual([{ group_id: two, rate_multiplier: "0" }]);
    expect(t.announced).toEqual(Array.from({ length: 4 }, () => ({ kind: "user", id: user })));
  });

  test("are refused without a known group, a factor or a known user", async () => {
    const [user, group_id] = [await newUser(), await newGroup()];
    const set = (id: number, body: object) => t.admin("POST", `/users/${id}/rates`, body);
    const unknown = await set(user, { group_id: NOBODY, rate_multiplier: "1" });
    expect([unknown.status, pathsOf(unknown)]).toEqual([422, ["/group_id"]]);
    for (const rate_multiplier of ["-1", "1000", 1, undefined]) {
      const answer = await set(user, { group_id, rate_multiplier });
      expect([answer.status, pathsOf(answer)]).toEqual([400, ["/rate_multiplier"]]);
    }
    expect((await t.admin("DELETE", `/users/${user}/rates`)).status).toBe(400);
    expect((await set(NOBODY, { group_id, rate_multiplier: "1" })).status).toBe(404);
    expect((await t.admin("GET", `/users/${NOBODY}/rates`)).status).toBe(404);
  });
});

describe("attempts of a request", () => {
  const ATTEMPT: AttemptRecord = {
    number: 1,
    accountId: 4 as AccountId,
    startedAtMs: Date.UTC(2026, 0, 2),
    durationMs: 7,
    httpStatus: 529,
    fault: "select.overloaded",
    bytes: 10,
    inputTokens: 0,
    outputTokens: 0,
    billed: "no",
    reason: "overloaded",
  };

  test("are shown in their order, after the ledger has booked", async () => {
    const second = { ...ATTEMPT, number: 2, httpStatus: undefined, fault: undefined, billed: "unknown" };
    const attemptsDetail = [ATTEMPT, second as AttemptRecord];
    const { requestId } = await book(await newCast(), 0, { attempts: 2, attemptsDetail });
    const before = t.world.flushes;
    const { status, json } = await t.admin("GET", `/usage/${requestId}/attempts`);
    expect(status).toBe(200);
    const first = {
      number: 1,
      account_id: 4,
      started_at: "2026-01-02T00:00:00.000Z",
      duration_ms: 7,
      http_status: 529,
      fault: "select.overloaded",
      bytes: 10,
      input_tokens: 0,
      output_tokens: 0,
      billed: "no",
      reason: "overloaded",
    };
    expect(json.data).toEqual([
      first,
      { ...first, number: 2, http_status: null, fault: null, billed: "unknown" },
    ]);
    expect(t.world.flushes).toBe(before + 1);
  });

  test("there are none of a request that reached no account, and no request that was never made", async () => {
    const upstreamRequestId = unique("up");
    const { requestId } = await book(await newCast(), 0, { attempts: 0, upstreamRequestId });
    expect((await t.admin("GET", `/usage/${requestId}/attempts`)).json).toEqual({ data: [] });
    for (const id of [upstreamRequestId, unique("req")]) {
      expect((await t.admin("GET", `/usage/${id}/attempts`)).status).toBe(404);
    }
  });
});
