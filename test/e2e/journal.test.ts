import { afterAll, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import {
  createTenant,
  eventually,
  startGatewayProcess,
  type Tenant,
  type TestGateway,
  usageOf,
} from "#support/gateway.ts";
import { openCuttableProxy } from "#support/proxy.ts";
import { freshPostgresDatabase } from "#support/servers.ts";

const CLIENTS = 12;
const closers: (() => Promise<unknown>)[] = [];

afterAll(async () => {
  for (const close of closers.reverse()) await close();
});

/** A simulator, and what it is to be asked for: small streams and whole answers, one after the other. */
async function openUpstream(): Promise<Simulator> {
  const simulator = await startSimulator();
  closers.push(() => simulator.stop());
  simulator.plan({ text: "an answer", events: 4 }, { repeat: true });
  return simulator;
}

/** Ids of requests whose answers a client has seen whole, from clients that go on until they are told to stop. */
class Load {
  readonly whole: string[] = [];
  failures = 0;
  #isOver = false;
  readonly #clients: Promise<void>[];

  constructor(gateway: TestGateway, tenant: Tenant) {
    this.#clients = Array.from({ length: CLIENTS }, (_, index) =>
      this.#ask(gateway, tenant, index % 2 === 0),
    );
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  async #ask(gateway: TestGateway, { key }: Tenant, stream: boolean): Promise<void> {
    while (!this.#isOver) {
      try {
        const answer = await fetch(`${gateway.url}/v1/messages`, {
          method: "POST",
          headers: { "x-api-key": key, "content-type": "application/json" },
          body: JSON.stringify({
            model: "claude-sonnet-4-6",
            max_tokens: 50,
            stream,
            messages: [{ role: "user", content: "Hello" }],
          }),
        });
        const text = await answer.text();
        const isWhole = answer.ok && text.includes(stream ? "message_stop" : '"stop_reason"');
        if (isWhole) this.whole.push(answer.headers.get("x-sluice-request-id") ?? "");
        else this.failures++;
      } catch {
        // The process was killed while this request was under way.
        this.failures++;
        await Bun.sleep(5);
      }
    }
  }
}

test("kill -9 under load, again and again: every answer a client has seen whole is booked exactly once", async () => {
  const database = await freshPostgresDatabase();
  closers.push(() => database.close());
  const simulator = await openUpstream();
  const env = { HTTP_THREADS: "2", LOG_LEVEL: "error", DATABASE_URL: database.url };
  let gateway = await startGatewayProcess(env);
  closers.push(() => gateway.dispose());
  const tenant = await createTenant(gateway, { upstreamUrl: simulator.url, user: { concurrency: 0 } });
  const whole: string[] = [];
  for (let round = 0; round < 6; round++) {
    const load = new Load(gateway, tenant);
    await Bun.sleep(150 + round * 70);
    await gateway.kill();
    await load.stop();
    whole.push(...load.whole);
    gateway = await gateway.restart();
  }
  const rows = await usageOf(gateway, tenant.userId);
  const ids = rows.map(({ request_id }) => request_id);
  expect(whole.length).toBeGreaterThan(100);
  expect(new Set(ids).size).toBe(ids.length);
  expect(whole.filter((id) => !ids.includes(id))).toEqual([]);
  const unusual = rows.filter(({ input_tokens, output_tokens }) => input_tokens === 0 || output_tokens === 0);
  expect(unusual.filter(({ request_id }) => whole.includes(request_id))).toEqual([]);
}, 90_000);

test("a database that is away for a while fails no request, is told of, and gets every record once it is back", async () => {
  const database = await freshPostgresDatabase();
  closers.push(() => database.close());
  const proxy = await openCuttableProxy(database.url);
  closers.push(() => proxy.close());
  const simulator = await openUpstream();
  const gateway = await startGatewayProcess({
    HTTP_THREADS: "2",
    LOG_LEVEL: "silent",
    DATABASE_URL: proxy.url,
  });
  closers.push(() => gateway.dispose());
  const tenant = await createTenant(gateway, { upstreamUrl: simulator.url, user: { concurrency: 0 } });
  const load = new Load(gateway, tenant);
  await eventually(
    () => load.whole.length,
    (count) => count > 50,
  );
  proxy.cut();
  const before = load.whole.length;
  await eventually(
    () => load.whole.length,
    (count) => count > before + 300,
  );
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(Number(/^sluice_journal_records (\d+)/m.exec(metrics)?.[1])).toBeGreaterThan(100);
  expect(Number(/^sluice_journal_oldest_seconds ([\d.]+)/m.exec(metrics)?.[1])).toBeGreaterThan(0);
  proxy.mend();
  await load.stop();
  expect(load.failures).toBe(0);
  const rows = await eventually(
    () => usageOf(gateway, tenant.userId).catch(() => []),
    (found) => found.length >= load.whole.length,
    30_000,
  );
  expect(new Set(rows.map(({ request_id }) => request_id))).toEqual(new Set(load.whole));
}, 90_000);
