import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Tenant } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

const REQUESTS = 5_000;
/** More than all accounts take at once, so that every one of them always has somebody waiting. */
const CLIENTS = 240;

/** How many requests each account takes at once, and how long each of them takes. */
const ACCOUNTS = [
  { concurrency: 10, delayMs: 150 },
  { concurrency: 5, delayMs: 150 },
  { concurrency: 20, delayMs: 300 },
  { concurrency: 10, delayMs: 300 },
  { concurrency: 12, delayMs: 450 },
  { concurrency: 24, delayMs: 450 },
  { concurrency: 20, delayMs: 600 },
  { concurrency: 8, delayMs: 600 },
];

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({ ACCOUNT_WAITERS_MAX: "1000", LOG_LEVEL: "error" });
}, 60_000);
afterAll(() => stage.close());

/** Sends so many requests, each a conversation of its own, and returns how their answers ended. */
async function saturate(tenant: Tenant, requests: number): Promise<Readonly<Record<number, number>>> {
  const statuses: Record<number, number> = {};
  let sent = 0;
  const client = async (): Promise<void> => {
    while (sent < requests) {
      const answer = await stage.ask(tenant.key, { says: `Request ${sent++}` });
      await answer.arrayBuffer();
      statuses[answer.status] = (statuses[answer.status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return statuses;
}

test("accounts of unequal speed and limits each get their share of 5,000 requests, and never more than they take", async () => {
  const tenant = await stage.tenant(ACCOUNTS.map(({ concurrency }) => ({ concurrency })));
  for (const [index, { concurrency, delayMs }] of ACCOUNTS.entries()) {
    const plan = { delay_ms: delayMs, in_flight_max: concurrency };
    stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[index], repeat: true });
  }
  expect(await saturate(tenant, REQUESTS)).toEqual({ 200: REQUESTS });
  const pace = ACCOUNTS.map(({ concurrency, delayMs }) => concurrency / delayMs);
  const total = pace.reduce((sum, one) => sum + one, 0);
  const { byKey } = stage.simulator.stats();
  for (const [index, key] of tenant.upstreamKeys.entries()) {
    const ideal = (REQUESTS * (pace[index] ?? 0)) / total;
    const share = (byKey[key]?.total ?? 0) / ideal;
    expect([index, share > 0.9 && share < 1.1, share]).toEqual([index, true, share]);
    expect(byKey[key]?.maxInFlight).toBe(ACCOUNTS[index]?.concurrency as number);
  }
}, 60_000);

test("an account at its rate limit gets no request before its time is up, and is used again soon after", async () => {
  const restMs = 2_000;
  const tenant = await stage.tenant([
    { concurrency: 4, priority: 1 },
    { concurrency: 4, priority: 2 },
    { concurrency: 4, priority: 2 },
  ]);
  const [limited = "", ...others] = tenant.upstreamKeys;
  for (const apiKey of others) stage.simulator.plan({ delay_ms: 20 }, { apiKey, repeat: true });
  const refusing = { status: 429, headers: { "retry-after": `${restMs / 1_000}` } };
  stage.simulator.plan(refusing, { apiKey: limited, repeat: true });

  let isOver = false;
  const statuses = new Set<number>();
  const client = async (name: number): Promise<void> => {
    for (let count = 0; !isOver; count++) {
      const answer = await stage.ask(tenant.key, { says: `Client ${name}, request ${count}` });
      await answer.arrayBuffer();
      statuses.add(answer.status);
    }
  };
  const clients = Array.from({ length: 16 }, (_, name) => client(name));
  const refusals = () => stage.attemptsOf(limited).filter(({ status }) => status === 429);
  const served = () => stage.attemptsOf(limited).filter(({ status }) => status === 200);
  while (refusals().length === 0) await Bun.sleep(5);
  await Bun.sleep(500);
  stage.simulator.plan({}, { apiKey: limited, repeat: true });
  const deadline = performance.now() + 2 * restMs + 3_000;
  while (served().length < 10 && performance.now() < deadline) await Bun.sleep(20);
  isOver = true;
  await Promise.all(clients);

  expect([...statuses]).toEqual([200]);
  // Only what was under way before the first refusal came back may have been refused too.
  expect(refusals().length).toBeLessThanOrEqual(4);
  const lastRefusedAt = Math.max(...refusals().map(({ endedAtMs }) => endedAtMs ?? 0));
  const usedAgainAt = Math.min(...served().map(({ receivedAtMs }) => receivedAtMs));
  expect(usedAgainAt - lastRefusedAt).toBeGreaterThanOrEqual(restMs);
  expect(usedAgainAt - lastRefusedAt).toBeLessThan(restMs + 2_000);
}, 20_000);
