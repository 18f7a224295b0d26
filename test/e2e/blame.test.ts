import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Plan } from "#simulator/plan.ts";
import type { Tenant } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.set({ same_account_delay_ms: 10, same_account_retries: 0 });
}, 60_000);
afterAll(() => stage.close());

/** Accounts that are asked in this order, each of which does as planned. */
async function tenantWith(plans: readonly Plan[], part: Record<string, unknown> = {}): Promise<Tenant> {
  const tenant = await stage.tenant(plans.map((_, index) => ({ priority: index + 1, ...part })));
  plan(tenant, plans);
  return tenant;
}

function plan({ upstreamKeys }: Tenant, plans: readonly Plan[]): void {
  for (const [index, apiKey] of upstreamKeys.entries()) {
    stage.simulator.plan(plans[index] ?? {}, { apiKey, repeat: true });
  }
}

async function statusOf(key: string, says?: string): Promise<number> {
  const answer = await stage.ask(key, says === undefined ? {} : { says });
  await answer.text();
  return answer.status;
}

const stored = (id: number | undefined) =>
  stage.gateway.admin<{ status: string; cooling_until: string | null }>("GET", `/accounts/${id}`);

test("a refusal of access that every account repeats takes none of them out of use", async () => {
  const forbidden = { status: 403 };
  const tenant = await tenantWith([forbidden, forbidden, forbidden]);
  expect(await statusOf(tenant.key)).toBe(502);
  plan(tenant, [{}, {}, {}]);
  expect(await statusOf(tenant.key)).toBe(200);
  for (const id of tenant.accountIds) expect((await stored(id)).status).toBe("active");
});

test("a refusal of access is the account's own once another account has served the same request", async () => {
  const tenant = await tenantWith([{ status: 403 }, {}]);
  expect(await statusOf(tenant.key)).toBe(200);
  const [refused] = tenant.accountIds;
  for (let tries = 0; (await stored(refused)).status !== "error"; tries++) {
    expect(tries).toBeLessThan(200);
    await Bun.sleep(10);
  }
});

test("requests that crash every account open the circuit of none but the first", async () => {
  const crash = { status: 500 };
  const tenant = await tenantWith([crash, crash, crash]);
  for (let count = 0; count < 6; count++) expect(await statusOf(tenant.key, `Poison ${count}`)).toBe(502);
  plan(tenant, [crash, {}, {}]);
  expect(await statusOf(tenant.key, "Good")).toBe(200);
});

test("words that a client has written itself make no rule of an account fit", async () => {
  const rules = [{ status: 400, keywords: ["poisonous"], minutes: 60 }];
  const refusal = { status: 400, error_message: "messages.0: unknown block type poisonous" };
  const tenant = await tenantWith([refusal, refusal], { unschedulable_rules: rules });
  expect(await statusOf(tenant.key, "This is poisonous")).toBe(400);
  expect(stage.attemptsOf(tenant.upstreamKeys[1] ?? "")).toEqual([]);
  plan(tenant, [{}, {}]);
  expect(await statusOf(tenant.key)).toBe(200);
  expect(stage.attemptsOf(tenant.upstreamKeys[1] ?? "")).toEqual([]);
});

test("an account whose credential is replaced serves again at once", async () => {
  const tenant = await tenantWith([{ status: 401 }]);
  const [id] = tenant.accountIds;
  expect(await statusOf(tenant.key)).toBe(502);
  plan(tenant, [{}]);
  const credentials = { api_key: tenant.upstreamKeys[0] };
  for (let tries = 0; (await stored(id)).status !== "error"; tries++) {
    expect(tries).toBeLessThan(200);
    await Bun.sleep(10);
  }
  await stage.gateway.admin("PATCH", `/accounts/${id}`, { credentials, status: "active" });
  expect(await statusOf(tenant.key)).toBe(200);
});

test("a key that is taken back while its request stands in line is not served", async () => {
  const tenant = await tenantWith([{ delay_ms: 400 }], { concurrency: 1 });
  const first = stage.ask(tenant.key, { says: "First" });
  await Bun.sleep(50);
  const second = stage.ask(tenant.key, { says: "Second" });
  await Bun.sleep(50);
  await stage.gateway.admin("PATCH", `/api-keys/${tenant.keyId}`, { status: "disabled" });
  expect([(await first).status, (await second).status]).toEqual([200, 401]);
  expect(stage.attemptsOf(tenant.upstreamKeys[0] ?? "")).toHaveLength(1);
});

test("a refusal carries the trace too, for keys that may see it", async () => {
  const tenant = await stage.tenant([{}], { apiKey: { trace_header: true } });
  plan(tenant, [{ status: 429, headers: { "retry-after": "9" } }]);
  const answer = await stage.ask(tenant.key);
  expect([answer.status, answer.headers.get("x-sluice-trace")]).toEqual([
    429,
    expect.stringContaining("fault:upstream.rate_limited"),
  ]);
});
