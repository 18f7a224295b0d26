import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Plan } from "#simulator/plan.ts";
import type { Tenant } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

const DELAY_MS = 150;
const TOGETHER = 3;

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
  await stage.set({ user_message_delay_min_ms: 0 });
}, 60_000);
afterAll(() => stage.close());

async function tenantWith(queue: string | null, plan: Plan): Promise<Tenant> {
  const tenant = await stage.tenant([{ user_message_queue: queue }]);
  stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[0], repeat: true });
  return tenant;
}

const toolResult = {
  messages: [
    { role: "user", content: "What is the weather?" },
    { role: "assistant", content: [{ type: "tool_use", id: "toolu_1", name: "get_weather", input: {} }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "Sunny" }] },
  ],
};

/** Sends so many requests at once and waits for all answers; the upstream's attempts in their order. */
async function together(tenant: Tenant, ask: Parameters<Stage["ask"]>[1] = {}) {
  const answers = await Promise.all(Array.from({ length: TOGETHER }, () => stage.ask(tenant.key, ask)));
  for (const answer of answers) {
    expect(answer.status).toBe(200);
    await answer.text();
  }
  return stage.attemptsOf(tenant.upstreamKeys[0] ?? "");
}

const mostAtOnce = ({ upstreamKeys: [key = ""] }: Tenant): number =>
  stage.simulator.stats().byKey[key]?.maxInFlight ?? 0;

test("messages of people go to an account one at a time where it takes them so", async () => {
  const tenant = await tenantWith("serialize", { delay_ms: DELAY_MS });
  const attempts = await together(tenant);
  expect(mostAtOnce(tenant)).toBe(1);
  const starts = attempts.map(({ receivedAtMs }) => receivedAtMs);
  for (const [index, at] of starts.entries()) {
    if (index > 0) expect(at - (starts[index - 1] ?? 0)).toBeGreaterThanOrEqual(DELAY_MS - 2);
  }
});

test("the next message goes once the upstream has accepted the one before, not when that is answered", async () => {
  const tenant = await tenantWith("serialize", { events: 10, event_interval_ms: 60 });
  const attempts = await together(tenant, { stream: true });
  const firstEnd = Math.min(...attempts.map(({ endedAtMs }) => endedAtMs ?? 0));
  for (const { receivedAtMs } of attempts) expect(receivedAtMs).toBeLessThan(firstEnd);
});

test("a refusal lets the next message go too", async () => {
  const tenant = await tenantWith("serialize", { status: 400, delay_ms: 50 });
  const answers = await Promise.all([stage.ask(tenant.key), stage.ask(tenant.key), stage.ask(tenant.key)]);
  expect(answers.map(({ status }) => status)).toEqual([400, 400, 400]);
  expect(mostAtOnce(tenant)).toBe(1);
});

test("results of tools pass freely", async () => {
  const tenant = await tenantWith("serialize", { delay_ms: DELAY_MS });
  await together(tenant, { body: toolResult });
  expect(mostAtOnce(tenant)).toBe(TOGETHER);
});

test("messages are only slowed down where the account says so, and each of them is", async () => {
  await stage.set({ user_message_delay_min_ms: 200 });
  try {
    const tenant = await tenantWith("throttle", { delay_ms: DELAY_MS });
    const sentAt = Date.now();
    const attempts = await together(tenant);
    for (const { receivedAtMs } of attempts) expect(receivedAtMs - sentAt).toBeGreaterThanOrEqual(195);
    expect(mostAtOnce(tenant)).toBe(TOGETHER);
  } finally {
    await stage.set({ user_message_delay_min_ms: 0 });
  }
});

test("the setting holds for accounts that say nothing, and an account can opt out of it", async () => {
  const [silent, off] = [
    await tenantWith(null, { delay_ms: DELAY_MS }),
    await tenantWith("off", { delay_ms: DELAY_MS }),
  ];
  await together(silent);
  expect(mostAtOnce(silent)).toBe(TOGETHER);
  stage.simulator.reset();
  await stage.set({ user_message_queue: "serialize" });
  try {
    for (const { upstreamKeys } of [silent, off]) {
      stage.simulator.plan({ delay_ms: DELAY_MS }, { apiKey: upstreamKeys[0], repeat: true });
    }
    await Promise.all([together(silent), together(off)]);
    expect([mostAtOnce(silent), mostAtOnce(off)]).toEqual([1, TOGETHER]);
  } finally {
    await stage.set({ user_message_queue: null });
  }
});
