import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Tenant } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({});
}, 60_000);
afterAll(() => stage.close());

/** Sends one request, waits until it is booked, and gives the status and error of the next one. */
async function afterOne({
  key,
  userId,
}: Tenant): Promise<{ status: number; message: string; retryAfter: string }> {
  const first = await stage.ask(key);
  await first.text();
  expect(first.status).toBe(200);
  await stage.gateway.admin("GET", `/usage?user_id=${userId}`);
  const next = await stage.ask(key);
  const body = (await next.json()) as { error?: { message: string } };
  return {
    status: next.status,
    message: body.error?.message ?? "",
    retryAfter: next.headers.get("retry-after") ?? "",
  };
}

test("a key whose quota is used up is refused with 429, and told how much of it", async () => {
  const tenant = await stage.tenant([{}], { apiKey: { quota_usd: "0.000001" } });
  const { status, message } = await afterOne(tenant);
  expect(status).toBe(429);
  expect(message).toContain("quota");
});

test("a key whose window is used up is refused until the window ends, and told when", async () => {
  const tenant = await stage.tenant([{}], { apiKey: { rate_limit_5h_usd: "0.000001" } });
  const { status, retryAfter } = await afterOne(tenant);
  expect(status).toBe(429);
  expect(Number(retryAfter)).toBeGreaterThan(17_900);
  expect(Number(retryAfter)).toBeLessThanOrEqual(18_000);
});

test("a balance that is used up is refused with 403, and one that is topped up serves again", async () => {
  const tenant = await stage.tenant([{}], { user: { balance_usd: "0.000001" } });
  expect((await afterOne(tenant)).status).toBe(403);
  await stage.gateway.admin("POST", `/users/${tenant.userId}/balance`, { amount_usd: "1" });
  const again = await stage.ask(tenant.key);
  await again.text();
  expect(again.status).toBe(200);
});

test("where costs are multiplied with 0 nobody pays, and nobody needs a balance", async () => {
  const tenant = await stage.tenant([{}], { user: { balance_usd: "0" }, group: { rate_multiplier: "0" } });
  expect((await afterOne(tenant)).status).toBe(200);
  const user = await stage.gateway.admin<{ balance_usd: string }>("GET", `/users/${tenant.userId}`);
  expect(Number(user.balance_usd)).toBe(0);
});

test("an account's limits count the list price by the account's own rate, whatever the user pays", async () => {
  const limits = { quota_usd: "0.02", rate_multiplier: "0.5" };
  await stage.set({
    model_prices: [{ model: "listed", input_usd_per_mtok: "0", output_usd_per_mtok: "1000" }],
  });
  const tenant = await stage.tenant([limits], {
    group: { rate_multiplier: "0" },
    user: { balance_usd: "1" },
  });
  // Ten tokens are a cent by the list, half a cent to the operator, and nothing to the user.
  stage.simulator.plan({ usage: { output_tokens: 10 } }, { apiKey: tenant.upstreamKeys[0], repeat: true });
  const statuses: number[] = [];
  for (let turn = 0; turn < 5; turn++) {
    const answer = await stage.ask(tenant.key, { body: { model: "listed" } });
    await answer.text();
    statuses.push(answer.status);
    await stage.gateway.admin("GET", `/usage?user_id=${tenant.userId}`);
  }
  expect(statuses).toEqual([200, 200, 200, 200, 429]);
  const user = await stage.gateway.admin<{ balance_usd: string }>("GET", `/users/${tenant.userId}`);
  expect(user.balance_usd).toBe("1");
});

test("an account's quota counts the operator's own cost, whatever the user pays", async () => {
  const accounts = [{ rate_multiplier: "0.5", quota_usd: "1" }, { rate_multiplier: "0" }] as const;
  const costs: number[] = [];
  for (const account of accounts) {
    const tenant = await stage.tenant([account], { group: { rate_multiplier: "0" } });
    await (await stage.ask(tenant.key)).text();
    await stage.gateway.admin("GET", `/usage?user_id=${tenant.userId}`);
    const shown = await stage.gateway.admin("GET", `/accounts/${tenant.accountIds[0]}`);
    expect(shown["window_cost_used_usd"]).toBe(shown["quota_used_usd"] as string);
    costs.push(Number(shown["quota_used_usd"]));
  }
  const payer = await stage.tenant([{}], { group: { rate_multiplier: "1" } });
  await (await stage.ask(payer.key)).text();
  const { cost_usd } = await stage.onlyRow(payer);
  expect(Number(cost_usd)).toBeGreaterThan(0);
  expect(costs[0]).toBeCloseTo(Number(cost_usd) / 2, 9);
  expect(costs[1]).toBe(0);
});

test("a key that is used up or expired learns so at every prefix, however it is presented", async () => {
  const expired = await stage.tenant([{}], { apiKey: { expires_at: "2020-01-01T00:00:00Z" } });
  const used = await stage.tenant([{}], { apiKey: { quota_usd: "0.000001" } });
  await afterOne(used);
  for (const { key } of [expired, used]) {
    const presented = [{ authorization: `Bearer ${key}` }, { "x-api-key": key }, { "x-goog-api-key": key }];
    for (const headers of presented) {
      for (const path of ["/v1/usage", "/antigravity/v1/usage"]) {
        const answer = await fetch(`${stage.gateway.url}${path}`, { headers });
        const body = (await answer.json()) as { isValid: boolean; usage: { total: { requests: number } } };
        const requests = key === used.key ? 1 : 0;
        expect([answer.status, body.isValid, body.usage.total.requests]).toEqual([200, false, requests]);
      }
    }
  }
});
