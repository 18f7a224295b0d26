import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { billedEligibility, unbilledEligibility } from "#billing/eligibility.ts";
import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import type { GatewayEndpointOptions } from "#http/gateway-endpoint.ts";
import { usageRoutes } from "#http/routes/usage.ts";
import { Authenticator } from "#identity/authenticate-key.ts";
import type { Log } from "#kernel/log.ts";
import { Vault } from "#kernel/vault.ts";
import { Snapshot } from "#snapshot/snapshot.ts";
import { migrate } from "#storage/migrate.ts";
import type { NewApiKey } from "#storage/repositories/api-keys.ts";
import type { NewGroup } from "#storage/repositories/groups.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import { freshEmbeddedDatabase, freshPostgresDatabase, type TestServer } from "#support/servers.ts";
import { recordOf, rowOf, unique } from "../storage/records.ts";

const START_MS_MAX = 60_000;
const USD = 1_000_000_000n;
const HOUR_MS = 3_600_000;
/** Noon, so that zones east of UTC+12 are in the next day already. */
const NOW = Date.UTC(2026, 2, 10, 12);
const PREFIXES = ["/v1/usage", "/antigravity/v1/usage"];

const vault = new Vault(Buffer.alloc(32, 5).toString("base64"));
const silent = { debug() {}, info() {}, warn() {}, error() {} } as Log;

let server: TestServer;
let storage: Storage;

beforeAll(async () => {
  const hasServer = process.env["TEST_DATABASE_URL"] !== undefined;
  server = await (hasServer ? freshPostgresDatabase() : freshEmbeddedDatabase());
  await migrate(server.url);
  storage = openStorage(server.url, { connectionsMax: 2 });
}, START_MS_MAX);
afterAll(async () => {
  await storage?.close();
  await server?.close();
}, START_MS_MAX);

interface World {
  readonly key?: Partial<NewApiKey>;
  readonly group?: Partial<NewGroup>;
  readonly balanceNanos?: bigint;
  readonly hasSubscription?: boolean;
  readonly subscriptionEndsAtMs?: number;
  readonly records?: readonly Partial<UsageRecord>[];
  readonly nowMs?: number;
  readonly isBilled?: boolean;
  readonly statistics?: Storage["keyStatistics"];
  readonly flushLedger?: () => Promise<void>;
}

/** Asks for the usage of a key of its own in a world of its own. */
async function ask(world: World, query = "", path = "/v1/usage", header?: string) {
  const { balanceNanos = USD, nowMs = NOW } = world;
  const secret = unique("sk");
  const user = rowOf(await storage.users.create({ name: "Ada", balanceNanos }));
  const group = rowOf(
    await storage.groups.create({ name: unique("plan"), platform: "anthropic", ...world.group }),
  );
  const key = rowOf(
    await storage.apiKeys.create({
      userId: user.id,
      groupId: group.id,
      name: "laptop",
      keyHash: vault.hashApiKey(secret),
      keyHint: "wxyz",
      ...world.key,
    }),
  );
  const cast = { userId: user.id, groupId: group.id, apiKeyId: key.id, accountId: undefined };
  const subscriptionId = world.hasSubscription
    ? rowOf(
        await storage.subscriptions.create({
          userId: user.id,
          groupId: group.id,
          startsAtMs: 0,
          expiresAtMs: world.subscriptionEndsAtMs ?? Date.UTC(2099, 0, 1),
        }),
      ).id
    : undefined;
  const lines = (world.records ?? []).map((changes) =>
    usageLine(recordOf(cast, { subscriptionId, createdAtMs: NOW - 1_000, durationMs: 500, ...changes })),
  );
  await storage.usage.book(lines);
  const snapshot = new Snapshot({ rows: storage.snapshot, vault, log: silent });
  await snapshot.load();
  const clock = { now: () => nowMs, monotonic: () => 0 };
  const options = {
    services: {
      clock,
      log: silent,
      identity: new Authenticator({ snapshot, vault, clock }),
      eligibility: (world.isBilled === false ? unbilledEligibility : billedEligibility)(snapshot),
    },
    trustedProxies: { isEmpty: true, has: () => false },
  } as unknown as GatewayEndpointOptions;
  const app = usageRoutes(options, {
    snapshot,
    statistics: world.statistics ?? storage.keyStatistics,
    flushLedger: world.flushLedger ?? (async () => undefined),
  });
  const response = await app.handle(
    new Request(`http://localhost${path}${query}`, { headers: { "x-api-key": header ?? secret } }),
  );
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of many shapes.
  const json = (await response.json()) as any;
  return { status: response.status, headers: response.headers, json, group };
}

describe("a key with limits of its own", () => {
  const limited = { quotaNanos: 10n * USD, rateLimit5hNanos: 2n * USD };

  test("is told its quota and its windows, in numbers of dollars", async () => {
    const { status, headers, json } = await ask({ key: limited, records: [{ costNanos: USD / 2n }] });
    expect([status, headers.get("content-type")]).toEqual([200, "application/json"]);
    expect(headers.get("request-id")).toBeTruthy();
    expect(json).toMatchObject({
      mode: "quota_limited",
      isValid: true,
      status: "active",
      quota: { limit: 10, used: 0.5, remaining: 9.5, unit: "USD" },
      remaining: 9.5,
      unit: "USD",
    });
    const [startMs, endMs] = [NOW - 500, NOW - 500 + 5 * HOUR_MS];
    expect(json.rate_limits).toEqual([
      {
        window: "5h",
        limit: 2,
        used: 0.5,
        remaining: 1.5,
        window_start: new Date(startMs).toISOString(),
        reset_at: new Date(endMs).toISOString(),
      },
    ]);
    expect(Object.keys(json)).not.toContain("expires_at");
  });

  test("sees a window that has ended as empty", async () => {
    const nowMs = NOW + 6 * HOUR_MS;
    const { json } = await ask({
      key: limited,
      records: [{ costNanos: 2n * USD }],
      nowMs,
      balanceNanos: 9n * USD,
    });
    expect(json.isValid).toBe(true);
    expect(json.rate_limits).toEqual([{ window: "5h", limit: 2, used: 0, remaining: 2, window_start: null }]);
  });

  test.each(PREFIXES)(
    "is answered at %s when its quota or a window is used up, and is not valid",
    async (path) => {
      const records = [{ costNanos: 11n * USD }];
      const used = await ask({ key: { quotaNanos: 10n * USD }, records, balanceNanos: 99n * USD }, "", path);
      expect([used.status, used.json.isValid, used.json.status]).toEqual([200, false, "quota_exhausted"]);
      expect([used.json.remaining, used.json.quota.used]).toEqual([0, 11]);
      expect(Object.keys(used.json)).not.toContain("rate_limits");
      const waiting = await ask(
        { key: { rateLimit1dNanos: USD }, records, balanceNanos: 99n * USD },
        "",
        path,
      );
      expect([waiting.status, waiting.json.isValid, waiting.json.status]).toEqual([200, false, "active"]);
      expect(waiting.json.rate_limits[0]).toMatchObject({ window: "1d", used: 11, remaining: 0 });
    },
  );

  test.each(PREFIXES)("is answered at %s when it is expired, and is not valid", async (path) => {
    const { status, json } = await ask({ key: { ...limited, expiresAtMs: NOW } }, "", path);
    expect([status, json.isValid, json.status, json.days_until_expiry]).toEqual([200, false, "expired", 0]);
    expect(json.expires_at).toBe(new Date(NOW).toISOString());
    const later = await ask({ key: { ...limited, expiresAtMs: NOW + 47 * HOUR_MS } }, "", path);
    expect([later.json.isValid, later.json.days_until_expiry]).toEqual([true, 1]);
  });
});

describe("a key without limits of its own", () => {
  test("is told the balance, and is not valid without one or once it is expired", async () => {
    const { json } = await ask({ balanceNanos: 2_500_000_001n });
    expect(json).toMatchObject({
      mode: "unrestricted",
      isValid: true,
      planName: "Wallet balance",
      remaining: 2.500000001,
      unit: "USD",
      balance: 2.500000001,
    });
    const empty = await ask({ balanceNanos: USD, records: [{ costNanos: 3n * USD }] });
    expect(empty.json).toMatchObject({ isValid: false, remaining: 0, balance: -2 });
    expect((await ask({ key: { expiresAtMs: NOW - 1 } })).json).toMatchObject({
      mode: "unrestricted",
      isValid: false,
    });
  });

  const group = {
    subscriptionType: "subscription" as const,
    dailyLimitNanos: 3n * USD,
    weeklyLimitNanos: 9n * USD,
  };

  test("is told its subscription with windows that have ended counted as empty", async () => {
    const world = { group, hasSubscription: true, records: [{ costNanos: 2n * USD }] };
    const fresh = await ask(world);
    expect(fresh.json).toMatchObject({
      mode: "unrestricted",
      isValid: true,
      planName: fresh.group.name,
      unit: "USD",
      remaining: 1,
      subscription: {
        daily_usage_usd: 2,
        weekly_usage_usd: 2,
        monthly_usage_usd: 2,
        daily_limit_usd: 3,
        weekly_limit_usd: 9,
        monthly_limit_usd: null,
        expires_at: "2099-01-01T00:00:00.000Z",
      },
    });
    const { json } = await ask({ ...world, nowMs: NOW + 25 * HOUR_MS });
    expect([json.remaining, json.subscription.daily_usage_usd, json.subscription.weekly_usage_usd]).toEqual([
      3, 0, 2,
    ]);
  });

  test("is not valid when the subscription is used up, expired or missing", async () => {
    const used = await ask({ group, hasSubscription: true, records: [{ costNanos: 3n * USD }] });
    expect([used.json.isValid, used.json.remaining]).toEqual([false, 0]);
    for (const world of [{ group }, { group, hasSubscription: true, subscriptionEndsAtMs: NOW }]) {
      const { json } = await ask(world);
      expect(json.isValid).toBe(false);
      expect(Object.keys(json)).not.toContain("subscription");
      expect(Object.keys(json)).not.toContain("remaining");
    }
    const free = await ask({ group: { subscriptionType: "subscription" }, hasSubscription: true });
    expect([free.json.isValid, free.json.remaining]).toEqual([true, -1]);
  });
});

describe("a key that would be refused", () => {
  const spent = { records: [{ costNanos: 9n * USD }] };
  const subscribed = {
    group: { subscriptionType: "subscription" as const, dailyLimitNanos: USD },
    hasSubscription: true,
  };
  const MODES: [mode: string, fields: string[], world: World][] = [
    [
      "quota_limited",
      ["quota", "rate_limits", "status"],
      { key: { quotaNanos: USD, rateLimit7dNanos: 99n * USD } },
    ],
    ["unrestricted", ["planName", "balance"], {}],
    ["unrestricted", ["planName", "subscription"], subscribed],
  ];
  const cases = PREFIXES.flatMap((path) => MODES.map((mode) => [path, ...mode] as const));

  test.each(cases)("is told why at %s, in the mode %s with %j", async (path, mode, fields, world) => {
    const used = await ask({ ...world, ...spent }, "", path);
    const expired = await ask({ ...world, ...spent, key: { ...world.key, expiresAtMs: NOW - 1 } }, "", path);
    for (const { status, json } of [used, expired]) {
      expect([status, json.mode, json.isValid, json.remaining]).toEqual([200, mode, false, 0]);
      expect(Object.keys(json)).toEqual(expect.arrayContaining(fields));
      expect(json.usage.total.requests).toBe(1);
    }
    const before = await ask({ ...world, balanceNanos: USD }, "", path);
    expect([before.json.isValid, before.json.remaining]).toEqual([true, 1]);
  });

  test("is valid where nobody is refused for money, unless it is expired", async () => {
    const world = { key: { quotaNanos: USD }, ...spent, isBilled: false };
    const { json } = await ask(world);
    expect([json.isValid, json.status, json.remaining]).toEqual([true, "quota_exhausted", 0]);
    const expired = await ask({ ...world, key: { ...world.key, expiresAtMs: NOW } });
    expect([expired.json.isValid, expired.json.status]).toEqual([false, "expired"]);
  });
});

describe("the statistics", () => {
  /** One request per entry, told apart by its tokens. */
  const records: readonly Partial<UsageRecord>[] = [
    { model: "small", createdAtMs: Date.UTC(2026, 2, 10, 11, 59), inputTokens: 5, cacheReadTokens: 5 },
    { model: "large", createdAtMs: Date.UTC(2026, 2, 10, 9), outputTokens: 100, costNanos: 25_000_000n },
    {
      model: "large",
      createdAtMs: Date.UTC(2026, 2, 9, 23, 30),
      outputTokens: 1_000,
      cacheCreationTokens: 1,
    },
    { model: "old", createdAtMs: Date.UTC(2025, 0, 1), inputTokens: 7, costNanos: undefined },
  ];
  const requestsBy = (json: { model_stats?: { model: string; requests: number }[] }) =>
    (json.model_stats ?? []).map(({ model, requests }) => `${model} ${requests}`);

  test("are the key's own, by day in the time zone asked for, and by model", async () => {
    const { json } = await ask({ records });
    expect(json.usage).toMatchObject({
      today: { requests: 2, input_tokens: 5, output_tokens: 100, cache_read_tokens: 5, total_tokens: 110 },
      total: { requests: 4, input_tokens: 12, output_tokens: 1_100, cache_creation_tokens: 1 },
      average_duration_ms: 500,
      rpm: 0,
      tpm: 2,
    });
    expect(json.usage.total.total_tokens).toBe(1_118);
    expect([json.usage.total.cost, json.usage.total.actual_cost]).toEqual([0.025000002, 0.025000002]);
    expect(requestsBy(json)).toEqual(["large 2", "small 1"]);
    const berlin = await ask({ records }, "?timezone=Europe/Berlin");
    expect(berlin.json.usage.today.requests).toBe(3);
    const auckland = await ask({ records }, "?timezone=Pacific/Auckland");
    expect(auckland.json.usage.today.requests).toBe(1);
  });

  test("tell the list price from what was charged", async () => {
    const { json } = await ask({ records: [{ costNanos: 1_500_000_000n, listCostNanos: 1_000_000_000n }] });
    expect(json.usage.total).toMatchObject({ cost: 1, actual_cost: 1.5 });
  });

  const RANGES: [string, string[]][] = [
    ["?start_date=2026-03-10", ["large 1", "small 1"]],
    ["?start_date=2026-03-09&end_date=2026-03-09", ["large 1"]],
    ["?start_date=2026-03-09&end_date=2026-03-09&timezone=Europe/Berlin", []],
    ["?start_date=2025-01-01&end_date=2026-03-10", ["large 2", "small 1", "old 1"]],
    ["?end_date=2025-01-15", ["old 1"]],
    ["?end_date=2099-12-31", ["large 2", "small 1"]],
    ["?end_date=2026-03-10", ["large 2", "small 1"]],
    ["?start_date=2026-03-11", []],
  ];
  test.each(RANGES)("by model honour %s, and those of the key do not change", async (query, models) => {
    const { json } = await ask({ records }, query);
    expect(requestsBy(json)).toEqual(models);
    expect("model_stats" in json).toBe(models.length > 0);
    expect(json.usage.total.requests).toBe(4);
  });

  test("of a key that was never used are zeros", async () => {
    const { json } = await ask({});
    expect(json.usage.total).toMatchObject({ requests: 0, total_tokens: 0, cost: 0 });
    expect([json.usage.average_duration_ms, "model_stats" in json]).toEqual([0, false]);
  });

  test("are left out when they cannot be read, and a stuck ledger hides none", async () => {
    const failing = { summary: () => Promise.reject(new Error("no database")) };
    const { status, json } = await ask({ statistics: failing as never });
    expect([status, json.isValid, "usage" in json, "model_stats" in json]).toEqual([200, true, false, false]);
    const stuck = await ask({ records, flushLedger: () => Promise.reject(new Error("stuck")) });
    expect(stuck.json.usage.total.requests).toBe(4);
  });
});

describe("a refusal", () => {
  const BAD = [
    "?start_date=10.03.2026",
    "?end_date=2026-02-30",
    "?start_date=20260310",
    "?end_date=9999-12-31",
    "?start_date=",
    "?start_date=2026-03-10&end_date=2026-03-09",
    "?timezone=Nowhere/Else",
    "?timezone=%2B02:00",
    "?timezone=",
  ];
  test.each(BAD)("of %s names the parameter in the gateway's envelope", async (query) => {
    const { status, headers, json } = await ask({}, query);
    expect([status, json.type, json.error.type]).toEqual([400, "error", "invalid_request_error"]);
    expect(json.error.message).toStartWith(/\?(\w+)/.exec(query)?.[1] ?? "");
    expect(json.request_id).toBe(headers.get("request-id"));
  });

  test.each(PREFIXES)("at %s is for keys that are unknown or disabled", async (path) => {
    const unknown = await ask({}, "", path, "sk-unknown");
    const disabled = await ask({ key: { status: "disabled" } }, "", path);
    for (const { status, json } of [unknown, disabled]) {
      expect([status, json.type, json.error.type]).toEqual([401, "error", "authentication_error"]);
    }
  });
});
