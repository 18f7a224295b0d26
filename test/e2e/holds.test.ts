import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually, type Tenant, usageOf } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

/** What one answer costs: 10 tokens of output at 1,000 USD a million; input is free. */
const ANSWER_USD = 0.01;
const PRICED = { model: "priced-*", input_usd_per_mtok: "0", output_usd_per_mtok: "1000" };

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ USER_WAIT_TIMEOUT_SECONDS: "20" });
  await stage.set({ model_prices: [PRICED] });
}, 60_000);
afterAll(() => stage.close());

/** A tenant whose upstream answers with 10 tokens after a moment. */
async function tenantWith(balanceUsd: string, options: Record<string, unknown> = {}): Promise<Tenant> {
  const tenant = await stage.tenant([{ concurrency: 0 }], { user: { balance_usd: balanceUsd }, ...options });
  const plan = { delay_ms: 20, usage: { input_tokens: 5, output_tokens: 10 } };
  stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[0], repeat: true });
  return tenant;
}

const askPriced = (key: string, body: Record<string, unknown> = {}, stream = false): Promise<Response> =>
  stage.ask(key, { stream, body: { model: "priced-model", max_tokens: 10, ...body } });

async function statusesOf(asked: readonly Promise<Response>[]): Promise<Record<number, number>> {
  const counts: Record<number, number> = {};
  for (const answer of await Promise.all(asked)) {
    await answer.text();
    counts[answer.status] = (counts[answer.status] ?? 0) + 1;
  }
  return counts;
}

const balanceOf = async ({ userId }: Tenant): Promise<number> => {
  await stage.gateway.admin("GET", `/usage?user_id=${userId}`);
  return Number((await stage.gateway.admin<{ balance_usd: string }>("GET", `/users/${userId}`)).balance_usd);
};

describe("of 1,000 requests at once against a balance for ten", () => {
  const COUNT = 1_000;

  test("exactly the ten run that can be paid for", async () => {
    const tenant = await tenantWith(String(ANSWER_USD * 10));
    const asked = Array.from({ length: COUNT }, () => askPriced(tenant.key));
    expect(await statusesOf(asked)).toEqual({ 200: 10, 403: COUNT - 10 });
    expect(stage.attemptsOf(tenant.upstreamKeys[0] ?? "").length).toBe(10);
    expect(await balanceOf(tenant)).toBe(0);
  }, 60_000);

  test("the same ten run when each is first taken to cost three times as much", async () => {
    const tenant = await tenantWith(String(ANSWER_USD * 10));
    const asked = Array.from({ length: COUNT }, () => askPriced(tenant.key, { max_tokens: 30 }));
    expect(await statusesOf(asked)).toEqual({ 200: 10, 403: COUNT - 10 });
    expect(await balanceOf(tenant)).toBe(0);
  }, 60_000);

  test("ten run where the quota of the key, or a window, is what is short", async () => {
    for (const limit of ["quota_usd", "rate_limit_1d_usd"]) {
      const tenant = await tenantWith("100", { apiKey: { [limit]: String(ANSWER_USD * 10) } });
      const asked = Array.from({ length: 100 }, () => askPriced(tenant.key));
      expect(await statusesOf(asked)).toEqual({ 200: 10, 429: 90 });
    }
  }, 60_000);
});

test("a request that is alone gets what is left, however little, and the next one nothing", async () => {
  const tenant = await tenantWith("0.000001");
  expect(await statusesOf([askPriced(tenant.key)])).toEqual({ 200: 1 });
  await stage.gateway.admin("GET", `/usage?user_id=${tenant.userId}`);
  expect(await statusesOf([askPriced(tenant.key)])).toEqual({ 403: 1 });
});

test("money that was set aside for a request that failed is there for the next one at once", async () => {
  const tenant = await tenantWith(String(ANSWER_USD));
  stage.simulator.plan({ status: 400 }, { apiKey: tenant.upstreamKeys[0], repeat: true });
  for (let turn = 0; turn < 3; turn++) expect(await statusesOf([askPriced(tenant.key)])).toEqual({ 400: 1 });
  stage.simulator.plan({ usage: { output_tokens: 10 } }, { apiKey: tenant.upstreamKeys[0], repeat: true });
  expect(await statusesOf([askPriced(tenant.key)])).toEqual({ 200: 1 });
});

describe("a streamed answer that costs more than there is", () => {
  const long = {
    events: 400,
    text_bytes: 100,
    event_interval_ms: 2,
    usage: { input_tokens: 5, output_tokens: 12_000 },
  };

  async function streamed(tenant: Tenant): Promise<string> {
    stage.simulator.plan(long, { apiKey: tenant.upstreamKeys[0], repeat: true });
    const answer = await askPriced(tenant.key, { max_tokens: 20_000 }, true);
    return await answer.text();
  }

  test("is ended with a billing_error, and what was counted is booked", async () => {
    const tenant = await tenantWith("3");
    const text = await streamed(tenant);
    expect(text.trimEnd().split("\n").slice(-2)[0]).toBe("event: error");
    expect(text).toContain('"type":"billing_error"');
    expect(text).not.toContain("message_stop");
    const [row] = await eventually(
      () => usageOf(stage.gateway, tenant.userId),
      (rows) => rows.length > 0,
    );
    expect(row).toMatchObject({ status: "exhausted", usage_complete: false });
    const left = await balanceOf(tenant);
    expect(left).toBeLessThan(1);
    // One step of counting beyond what there was: 4 KiB of events are some 1,200 tokens at most.
    expect(left).toBeGreaterThan(-2);
  });

  test("goes on to its end within an overdraft that is allowed", async () => {
    await stage.set({ on_exhausted: "finish", overdraft_usd: 50 });
    try {
      const tenant = await tenantWith("3");
      expect(await streamed(tenant)).toContain("message_stop");
      expect(await balanceOf(tenant)).toBeCloseTo(-9, 6);
    } finally {
      await stage.set({ on_exhausted: null, overdraft_usd: null });
    }
  });
});
