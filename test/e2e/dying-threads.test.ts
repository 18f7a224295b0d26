import { expect, test } from "bun:test";
import { startSimulator } from "#simulator/simulator.ts";
import {
  createTenant,
  eventually,
  startGatewayProcess,
  type Tenant,
  type TestGateway,
  usageOf,
} from "#support/gateway.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const REQUESTS = 10_000;
const CLIENTS = 64;
/** Errors are expected of the requests that were with a thread when it was killed, and only then. */
const KILL_WINDOW_MS = 1_500;

/** A gateway whose threads can be killed, with a tenant without limits of its own, until the test ends. */
interface Killable extends AsyncDisposable {
  readonly gateway: TestGateway;
  readonly tenant: Tenant;
}

async function startKillable(
  env: Record<string, string> = {},
  account: Record<string, unknown> = {},
): Promise<Killable> {
  const simulator = await startSimulator();
  const gateway = await startGatewayProcess(
    { LOG_LEVEL: "error", ...env },
    undefined,
    "test/support/killable-gateway.ts",
  );
  const user = { concurrency: 0, balance_usd: "100000" };
  const tenant = await createTenant(gateway, { upstreamUrl: simulator.url, user, accounts: [account] });
  return {
    gateway,
    tenant,
    [Symbol.asyncDispose]: async () => {
      await gateway.dispose();
      await simulator.stop();
    },
  };
}

/** Whether so many HTTP threads accept requests now. */
async function areAllServing(gateway: TestGateway, threads: number): Promise<boolean> {
  const signal = AbortSignal.timeout(1_000);
  const metrics = await fetch(`${gateway.url}/metrics`, { keepalive: false, signal }).then(
    (answer) => answer.text(),
    () => "",
  );
  return metrics.includes(`sluice_http_threads ${threads}\n`);
}

/** A third of the requests leave while they wait, a third leave mid-stream, and threads die all the while. */
test("threads that are killed under load leave no slot taken, hang nobody and disturb no other thread", async () => {
  const env = { HTTP_THREADS: "3", ACCOUNT_WAITERS_MAX: "1000", DRAIN_SECONDS: "1" };
  await using killable = await startKillable(env, { concurrency: 24 });
  const { gateway, tenant } = killable;
  const shuffle = new Shuffle(5);
  const kills: number[] = [];
  const errors: number[] = [];
  let done = 0;
  const one = async (kind: number): Promise<void> => {
    const leaving = new AbortController();
    const timer = kind === 0 ? setTimeout(() => leaving.abort(), shuffle.below(8)) : undefined;
    try {
      const answer = await fetch(`${gateway.url}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": tenant.key },
        body: JSON.stringify({
          model: "claude-sonnet-4-6",
          max_tokens: 10,
          stream: true,
          messages: [{ role: "user", content: "Hi" }],
          simulator: { events: 6, event_interval_ms: 1 },
        }),
        signal: leaving.signal,
        keepalive: false,
      });
      if (kind !== 1) await answer.text();
      else await answer.body?.getReader().read();
      if (kind === 1) leaving.abort();
      if (answer.status !== 200 && !leaving.signal.aborted) errors.push(performance.now());
    } catch {
      if (!leaving.signal.aborted) errors.push(performance.now());
    } finally {
      clearTimeout(timer);
      done++;
    }
  };
  const client = async (): Promise<void> => {
    while (done < REQUESTS) await one(shuffle.below(3));
  };
  const killer = setInterval(async () => {
    // On a machine that starts threads slower than they are killed, nobody would be left to serve.
    if (!(await areAllServing(gateway, 3)) || done >= REQUESTS) return;
    kills.push(performance.now());
    gateway.say(`kill http ${kills.length % 3}`);
  }, 2_000);
  await Promise.all(Array.from({ length: CLIENTS }, client)).finally(() => clearInterval(killer));

  expect(kills.length).toBeGreaterThan(1);
  const unexplained = errors.filter((at) => !kills.some((kill) => at >= kill && at - kill < KILL_WINDOW_MS));
  expect(unexplained).toEqual([]);
  expect(errors.length).toBeLessThan(kills.length * CLIENTS);
  type Live = { in_flight: number; waiting: number };
  const live = async () =>
    Promise.all([
      gateway.admin<Live>("GET", `/users/${tenant.userId}/status`),
      gateway.admin<Live>("GET", `/accounts/${tenant.accountIds[0]}/status`),
    ]);
  await eventually(live, (all) => all.every(({ in_flight, waiting }) => in_flight + waiting === 0));
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(metrics).toMatch(new RegExp(`sluice_thread_restarts ${kills.length}`));
}, 180_000);

test("a ledger thread that is killed under load loses no record and books none twice", async () => {
  await using killable = await startKillable();
  const { gateway, tenant } = killable;
  const body = JSON.stringify({
    model: "claude-sonnet-4-6",
    max_tokens: 1,
    messages: [{ role: "user", content: "Hi" }],
    simulator: { usage: { input_tokens: 1_000, output_tokens: 0 } },
  });
  const send = async (): Promise<void> => {
    const answer = await fetch(`${gateway.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": tenant.key },
      body,
    });
    expect(answer.status).toBe(200);
    await answer.text();
  };
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 40 }, send));
    if (round % 3 === 0) gateway.say("kill ledger 0");
  }
  const rows = await eventually(
    () => usageOf(gateway, tenant.userId),
    (found) => found.length >= 400,
  );
  expect(new Set(rows.map((row) => row.request_id)).size).toBe(400);
  const { balance_usd: balance } = await gateway.admin<{ balance_usd: string }>(
    "GET",
    `/users/${tenant.userId}`,
  );
  // 400 requests of 1,000 input tokens at 3 USD per million.
  expect(balance).toBe("99998.8");
}, 60_000);

test("a parse thread that is killed fails only the bodies it held, and large bodies go on being served", async () => {
  await using killable = await startKillable();
  const { gateway, tenant } = killable;
  const body = JSON.stringify({
    model: "claude-sonnet-4-6",
    max_tokens: 1,
    messages: [{ role: "user", content: "x".repeat(300_000) }],
  });
  const statuses: number[] = [];
  const client = async (): Promise<void> => {
    for (let request = 0; request < 30; request++) {
      const headers = { "x-api-key": tenant.key };
      const answer = await fetch(`${gateway.url}/v1/messages`, { method: "POST", headers, body });
      await answer.text();
      statuses.push(answer.status);
    }
  };
  const killer = setInterval(() => gateway.say("kill parse 0"), 100);
  await Promise.all(Array.from({ length: 8 }, client)).finally(() => clearInterval(killer));
  expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(150);
}, 60_000);
