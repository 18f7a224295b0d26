import { expect, test } from "bun:test";
import { startSimulator } from "#simulator/simulator.ts";
import { createTenant, eventually, startGatewayProcess } from "#support/gateway.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const REQUESTS = 10_000;
const CLIENTS = 64;
/** Errors are expected of the requests that were with a thread when it was killed, and only then. */
const KILL_WINDOW_MS = 1_500;

/** A third of the requests leave while they wait, a third leave mid-stream, and threads die all the while. */
test("threads that are killed under load leave no slot taken, hang nobody and disturb no other thread", async () => {
  const simulator = await startSimulator();
  const gateway = await startGatewayProcess(
    { HTTP_THREADS: "3", ACCOUNT_WAITERS_MAX: "1000", DRAIN_SECONDS: "1", LOG_LEVEL: "error" },
    undefined,
    "test/support/killable-gateway.ts",
  );
  try {
    const tenant = await createTenant(gateway, {
      upstreamUrl: simulator.url,
      user: { concurrency: 0, balance_usd: "100000" },
      accounts: [{ concurrency: 24 }],
    });
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
    const killer = setInterval(() => {
      kills.push(performance.now());
      gateway.say(`kill ${kills.length % 3}`);
    }, 2_000);
    await Promise.all(Array.from({ length: CLIENTS }, client)).finally(() => clearInterval(killer));

    expect(kills.length).toBeGreaterThan(1);
    const unexplained = errors.filter(
      (at) => !kills.some((kill) => at >= kill && at - kill < KILL_WINDOW_MS),
    );
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
  } finally {
    await gateway.dispose();
    await simulator.stop();
  }
}, 180_000);
