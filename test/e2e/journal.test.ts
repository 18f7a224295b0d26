import { afterAll, expect, test } from "bun:test";
import { usdToNanos } from "#kernel/money.ts";
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
import { onRedis } from "./stage.ts";

const CLIENTS = 12;
/** How often the process is killed. */
const ROUNDS = Number(process.env["KILL_ROUNDS"] ?? 6);
/** Requests that are answered while the database is away. */
const OUTAGE_ANSWERS = Number(process.env["OUTAGE_ANSWERS"] ?? 300);
const BALANCE_USD = "1000";
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
  /** The simulator's number of each. */
  readonly sequences: number[] = [];
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

  #note(headers: Headers): void {
    this.whole.push(headers.get("x-sluice-request-id") ?? "");
    this.sequences.push(Number(/\d+$/.exec(headers.get("request-id") ?? "")?.[0]));
  }

  async #ask(gateway: TestGateway, { key }: Tenant, stream: boolean): Promise<void> {
    while (!this.#isOver) {
      try {
        // No two answers in a row cost the same.
        const content = "Hello ".repeat(1 + (this.whole.length % 37));
        const answer = await fetch(`${gateway.url}/v1/messages`, {
          method: "POST",
          headers: { "x-api-key": key, "content-type": "application/json" },
          body: JSON.stringify({
            model: "claude-sonnet-4-6",
            max_tokens: 50,
            stream,
            messages: [{ role: "user", content }],
          }),
        });
        const text = await answer.text();
        const isWhole = answer.ok && text.includes(stream ? "message_stop" : '"stop_reason"');
        if (isWhole) this.#note(answer.headers);
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
  const env = { HTTP_THREADS: "2", LOG_LEVEL: "error", DATABASE_URL: database.url, ...onRedis() };
  let gateway = await startGatewayProcess(env);
  closers.push(() => gateway.dispose());
  const tenant = await createTenant(gateway, {
    upstreamUrl: simulator.url,
    user: { concurrency: 0, balance_usd: BALANCE_USD },
  });
  const whole: string[] = [];
  const sequences: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const load = new Load(gateway, tenant);
    await Bun.sleep(150 + (round % 6) * 70);
    await gateway.kill();
    await load.stop();
    whole.push(...load.whole);
    sequences.push(...load.sequences);
    gateway = await gateway.restart();
  }
  const rows = await usageOf(gateway, tenant.userId);
  const byId = new Map(rows.map((row) => [row.request_id, row]));
  expect(whole.length).toBeGreaterThan(ROUNDS * 20);
  expect(byId.size).toBe(rows.length);
  expect(whole.filter((id) => !byId.has(id))).toEqual([]);
  const bill = new Map(simulator.attempts().map(({ sequence, usage }) => [sequence, usage]));
  for (const [index, id] of whole.entries()) {
    const { input_tokens, output_tokens } = byId.get(id) ?? {};
    const { input_tokens: input, output_tokens: output } = bill.get(sequences[index] ?? 0) ?? {};
    expect({ input_tokens, output_tokens }).toEqual({ input_tokens: input, output_tokens: output });
  }
  const cost = rows.reduce((sum, { cost_usd }) => sum + (usdToNanos(cost_usd ?? "") ?? 0n), 0n);
  const user = await gateway.admin<{ balance_usd: string }>("GET", `/users/${tenant.userId}`);
  expect(usdToNanos(user.balance_usd)).toBe((usdToNanos(BALANCE_USD) ?? 0n) - cost);
}, 600_000);

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
    ...onRedis(),
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
    (count) => count > before + OUTAGE_ANSWERS,
    300_000,
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
}, 600_000);
