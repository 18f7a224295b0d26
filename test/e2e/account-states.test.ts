import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Plan } from "#simulator/plan.ts";
import { eventually, type Tenant } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ STREAM_IDLE_SECONDS: "1" });
}, 60_000);
afterAll(() => stage.close());

interface ShownAccount {
  readonly status: string;
  readonly status_reason: string | null;
  readonly cooling_until: string | null;
  readonly cooling_reason: string | null;
}

interface ShownEvent {
  readonly kind: string;
  readonly reason: string;
  readonly status: number | null;
  readonly request_id: string | null;
  readonly model: string | null;
}

interface ShownStatus {
  readonly schedulable: boolean;
  readonly reasons: readonly string[];
  readonly cooling_reason: string | null;
  readonly circuit: string;
}

/** The first account of a tenant, as the admin API shows it. */
function firstOf({ accountIds: [id] }: Tenant) {
  const { admin } = stage.gateway;
  return {
    account: () => admin<ShownAccount>("GET", `/accounts/${id}`),
    status: () => admin<ShownStatus>("GET", `/accounts/${id}/status`),
    events: async () => (await admin<{ data: ShownEvent[] }>("GET", `/accounts/${id}/events`)).data,
    recover: () => admin<ShownAccount>("POST", `/accounts/${id}/recover`),
  };
}

/** A tenant of two accounts, the first of which is preferred and does as planned. */
async function tenantWithFirst(plan: Plan, account: Record<string, unknown> = {}): Promise<Tenant> {
  const tenant = await stage.tenant([{ priority: 1, ...account }, { priority: 2 }]);
  stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[0], repeat: true });
  return tenant;
}

let conversations = 0;

/** Sends the first request of a new conversation, and says which account served it. */
async function served(tenant: Tenant, body: Record<string, unknown> = {}): Promise<number> {
  const answer = await stage.ask(tenant.key, { says: `Conversation ${++conversations}`, body });
  await answer.text();
  expect(answer.status).toBe(200);
  return stage.servedBy(answer, tenant);
}

const attemptsOfFirst = ({ upstreamKeys: [key = ""] }: Tenant): number => stage.attemptsOf(key).length;

test.each([
  [401, "invalid x-api-key", "authentication"],
  [403, "OAuth authentication is currently not allowed for this organization", "OAuth"],
])(
  "an account refused with %i is out of use, says why, and serves again once it is put back",
  async (status, words, shown) => {
    const tenant = await tenantWithFirst({ status, error_message: words });
    const first = firstOf(tenant);
    const answer = await stage.ask(tenant.key);
    expect(answer.status).toBe(200);
    const requestId = answer.headers.get("x-sluice-request-id");

    const failed = await eventually(first.account, (account) => account.status === "error");
    expect(failed.status_reason?.toLowerCase()).toContain(shown.toLowerCase());
    expect((await first.events())[0]).toMatchObject({ kind: "failed", status, request_id: requestId });
    const live = await first.status();
    expect([live.schedulable, live.reasons.length > 0]).toEqual([false, true]);

    stage.simulator.plan({}, { apiKey: tenant.upstreamKeys[0], repeat: true });
    for (let count = 0; count < 4; count++) expect(await served(tenant)).toBe(1);
    expect(attemptsOfFirst(tenant)).toBe(1);

    expect(await first.recover()).toMatchObject({
      status: "active",
      status_reason: null,
      cooling_until: null,
    });
    expect((await first.events()).map(({ kind }) => kind)).toEqual(["recovered", "failed"]);
    expect(await first.status()).toMatchObject({ schedulable: true, reasons: [] });
    expect(await served(tenant)).toBe(0);
  },
);

test("an account with a rate limit rests for as long as it was told, and the rest is shown", async () => {
  const tenant = await tenantWithFirst({ status: 429, headers: { "retry-after": "60" } });
  const first = firstOf(tenant);
  const before = Date.now();
  expect(await served(tenant)).toBe(1);
  const live = await first.status();
  expect(live).toMatchObject({ schedulable: false, cooling_reason: "rate_limited" });
  const shown = await eventually(first.account, (account) => account.cooling_until !== null);
  expect(shown).toMatchObject({ status: "active", cooling_reason: "rate_limited" });
  const restMs = Date.parse(shown.cooling_until ?? "") - before;
  expect(restMs).toBeGreaterThan(59_000);
  expect(restMs).toBeLessThan(65_000);
  expect((await first.events())[0]).toMatchObject({ kind: "cooled", status: 429 });
  expect(await served(tenant)).toBe(1);
  expect(attemptsOfFirst(tenant)).toBe(1);

  stage.simulator.plan({}, { apiKey: tenant.upstreamKeys[0], repeat: true });
  await first.recover();
  expect(await served(tenant)).toBe(0);
});

test("what an account's own rules name takes it out of use, for one model where they say so", async () => {
  const rule = { status: 400, keywords: ["Model Is Overwhelmed"], minutes: 5, scope: "model" };
  const words = { status: 400, error_message: "this model is overwhelmed" };
  const tenant = await tenantWithFirst(words, { unschedulable_rules: [rule] });
  const first = firstOf(tenant);
  expect(await served(tenant)).toBe(1);
  const [event] = await eventually(first.events, (events) => events.length > 0);
  expect(event).toMatchObject({ kind: "model_cooled", model: "claude-sonnet-4-6", status: 400 });
  stage.simulator.plan({}, { apiKey: tenant.upstreamKeys[0], repeat: true });
  expect(await served(tenant)).toBe(1);
  expect(await served(tenant, { model: "claude-opus-4-5" })).toBe(0);
});

test("an account that fails again and again is left alone, and one request finds out when it is well", async () => {
  await stage.set({ circuit_failures: 3, circuit_open_seconds: 1 });
  try {
    const tenant = await tenantWithFirst({ status: 502 });
    const first = firstOf(tenant);
    for (let count = 0; count < 6; count++) expect(await served(tenant)).toBe(1);
    expect(attemptsOfFirst(tenant)).toBe(3);
    expect(await first.status()).toMatchObject({ circuit: "open", schedulable: false });
    const probe = { delay_ms: 200 };
    stage.simulator.plan(probe, { apiKey: tenant.upstreamKeys[0], repeat: true });
    await Bun.sleep(1_050);
    const together = await Promise.all(Array.from({ length: 5 }, () => served(tenant)));
    expect(together.filter((index) => index === 0)).toHaveLength(1);
    expect(await first.status()).toMatchObject({ circuit: "closed", schedulable: true });
    expect(await served(tenant)).toBe(0);
    const kinds = await eventually(
      async () => (await first.events()).map(({ kind }) => kind),
      (found) => found.length >= 2,
    );
    expect(kinds).toEqual(["circuit_closed", "circuit_opened"]);
  } finally {
    await stage.set({ circuit_failures: null, circuit_open_seconds: null });
  }
});

test("an account close to its rate limit is used last", async () => {
  const reset = new Date(Date.now() + 60_000).toISOString();
  const tenant = await tenantWithFirst({
    headers: {
      "anthropic-ratelimit-requests-limit": "1000",
      "anthropic-ratelimit-requests-remaining": "3",
      "anthropic-ratelimit-requests-reset": reset,
    },
  });
  expect(await served(tenant)).toBe(0);
  expect(await served(tenant)).toBe(1);
  await stage.gateway.admin("PATCH", `/accounts/${tenant.accountIds[1]}`, { schedulable: false });
  expect(await served(tenant)).toBe(0);
});

test("an account gets no more requests in a minute than it may, but its own conversations go on", async () => {
  const account = { base_rpm: 2, rpm_sticky_buffer: 2 };
  const tenant = await tenantWithFirst({}, account);
  const turn = async (): Promise<number> => {
    const answer = await stage.ask(tenant.key, { says: "A conversation" });
    await answer.text();
    return stage.servedBy(answer, tenant);
  };
  // The minute of the clock must not turn in the middle.
  if (Date.now() % 60_000 > 57_000) await Bun.sleep(60_500 - (Date.now() % 60_000));
  expect([await turn(), await served(tenant), await served(tenant), await turn()]).toEqual([0, 0, 1, 0]);
});

test("an account that stalls streams rests where the setting says so", async () => {
  await stage.set({ stream_timeout_action: "cool", stream_timeout_count: 1 });
  try {
    const tenant = await tenantWithFirst({ fault: { kind: "stall", after_event: 2 }, event_interval_ms: 10 });
    const text = await (await stage.ask(tenant.key, { stream: true })).text();
    expect(text).toContain("event: error");
    const first = firstOf(tenant);
    await eventually(first.status, ({ cooling_reason }) => cooling_reason === "stream_timeouts");
    expect(await served(tenant)).toBe(1);
  } finally {
    await stage.set({ stream_timeout_action: null, stream_timeout_count: null });
  }
});
