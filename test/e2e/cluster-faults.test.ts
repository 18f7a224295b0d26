/** Several nodes as one gateway, on a Redis that fails, and with nodes that die. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { shareOf } from "#coordination/redis/slots.ts";
import { eventually, type Tenant, usageOf } from "#support/gateway.ts";
import { startRedis, type TestServer } from "#support/servers.ts";
import { type Cluster, openCluster } from "./cluster.ts";

const NODES = 3;
const LIMIT = 7;
/** Clients of each node that stand in line for one account. */
const CLIENTS = Number(process.env["CLUSTER_CLIENTS"] ?? 60);
/** How long Redis stands still. */
const FROZEN_MS = Number(process.env["REDIS_FROZEN_SECONDS"] ?? 4) * 1_000;
/** How long a node waits for Redis before it decides on its own, and as much again for what was under way. */
const NOTICED_MS = 2_000;
/** Longest that any request may take while Redis stands still: it waits for Redis once or twice, then for a slot. */
const ANSWERED_MS_MAX = 8_000;

let dir: string;
let server: TestServer;
let redis: Redis;
let cluster: Cluster;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-redis-"));
  const started = await startRedis(dir);
  if (started === undefined) throw new Error("redis-server is not installed");
  server = started;
  redis = new Redis(server.url);
  cluster = await openCluster(NODES, server.url, { ACCOUNT_WAITERS_MAX: "5000" });
}, 60_000);

afterAll(async () => {
  await cluster.close();
  redis.disconnect();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const everyNode = Array.from({ length: NODES }, (_, node) => node);

/** A tenant that every thread of every node has served, so that all of them know of its money. */
async function tenantKnownToAll(user: Record<string, unknown> = {}): Promise<Tenant> {
  const tenant = await cluster.tenant([{ concurrency: LIMIT }], user);
  const statuses = () =>
    Promise.all(everyNode.map(async (node) => (await cluster.ask(node, tenant.key)).status));
  await eventually(statuses, (answers) => answers.every((status) => status === 200));
  const rounds = Array.from({ length: 12 }, () => everyNode).flat();
  await Promise.all(rounds.map(async (node) => (await cluster.ask(node, tenant.key)).text()));
  return tenant;
}

const trafficOf = ({ upstreamKeys }: Tenant) => cluster.simulator.stats().byKey[upstreamKeys[0] ?? ""];
const underWay = (tenant: Tenant): number => trafficOf(tenant)?.inFlight ?? 0;
const mostAtOnce = (tenant: Tenant): number => trafficOf(tenant)?.maxInFlight ?? 0;

async function inFlightAt(node: number, { accountIds }: Tenant): Promise<number> {
  const path = `/accounts/${accountIds[0]}/status`;
  return (await cluster.nodes[node]?.admin<{ in_flight: number }>("GET", path))?.in_flight ?? -1;
}

/** All that Redis has of leases of this tenant's account. */
async function leasesOf({ accountIds }: Tenant): Promise<number> {
  const place = `sluice:1:{${cluster.namespace}}`;
  const account = `a${accountIds[0]}`;
  return (await redis.zcard(`${place}:held:${account}`)) + (await redis.zcard(`${place}:line:${account}`));
}

interface Seen {
  readonly status: number;
  readonly ms: number;
  readonly startedAt: number;
}

/** Keeps so many requests going at each node until told to end; gives what became of every one. */
function load(tenant: Tenant, clients: number) {
  const seen: Seen[] = [];
  let isOver = false;
  const client = async (node: number): Promise<void> => {
    while (!isOver) {
      const startedAt = performance.now();
      const answer = await cluster.ask(node, tenant.key, { delay_ms: 20 });
      await answer.text();
      seen.push({ status: answer.status, ms: performance.now() - startedAt, startedAt });
    }
  };
  const running = everyNode.flatMap((node) => Array.from({ length: clients }, () => client(node)));
  const end = async (): Promise<readonly Seen[]> => {
    isOver = true;
    await Promise.all(running);
    return seen;
  };
  return { seen, end };
}

/** The most that were under way at once while `during` goes on, looked at all the time. */
async function mostWhile(tenant: Tenant, during: Promise<unknown>): Promise<number> {
  let most = 0;
  let isOver = false;
  void during.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    most = Math.max(most, underWay(tenant));
    await Bun.sleep(1);
  }
  return most;
}

async function allQuiet(tenant: Tenant): Promise<void> {
  await eventually(
    () => inFlightAt(0, tenant),
    (count) => count === 0,
  );
  await eventually(
    () => leasesOf(tenant),
    (count) => count === 0,
  );
}

test("three nodes never let more through than an account's limit, and serve all who stand in line", async () => {
  const tenant = await tenantKnownToAll();
  const asked = everyNode.flatMap((node) =>
    Array.from({ length: CLIENTS }, async () => {
      const answer = await cluster.ask(node, tenant.key, { delay_ms: 10 });
      await answer.text();
      return answer.status;
    }),
  );
  const statuses = await Promise.all(asked);
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  expect(mostAtOnce(tenant)).toBe(LIMIT);
  await allQuiet(tenant);
}, 120_000);

test("while Redis stands still every request is answered, nodes keep to their shares, and all heals by itself", async () => {
  const tenant = await tenantKnownToAll();
  const { seen, end } = load(tenant, 3);
  await Bun.sleep(500);
  const frozenAt = performance.now();
  await redis.call("CLIENT", "PAUSE", String(FROZEN_MS), "ALL");
  const noticed = await mostWhile(tenant, Bun.sleep(NOTICED_MS));
  const settled = await mostWhile(tenant, Bun.sleep(FROZEN_MS - NOTICED_MS - 500));
  const meanwhile = seen.filter(({ startedAt }) => startedAt > frozenAt + NOTICED_MS);
  await eventually(
    async () => (await fetch(`${cluster.nodes[0]?.url}/metrics`)).text(),
    (text) => /sluice_redis_threads_down 0/.test(text) && /sluice_redis_losses [1-9]/.test(text),
    20_000,
  );
  await Bun.sleep(500);
  const all = await end();
  expect(all.filter(({ status }) => status !== 200)).toEqual([]);
  expect(Math.max(...all.map(({ ms }) => ms))).toBeLessThan(ANSWERED_MS_MAX);
  expect(meanwhile.length).toBeGreaterThan(10);
  // What was in flight goes on beside what the other nodes may let in; then each has its share and no more.
  expect(noticed).toBeLessThanOrEqual(LIMIT + (NODES - 1) * shareOf(LIMIT, NODES));
  expect(settled).toBeLessThanOrEqual(NODES * shareOf(LIMIT, NODES));
  await allQuiet(tenant);
}, 180_000);

test("a Redis that has forgotten everything is told again at once", async () => {
  const tenant = await tenantKnownToAll();
  const { end } = load(tenant, 4);
  await Bun.sleep(300);
  await redis.flushall();
  const forgotten = await mostWhile(tenant, Bun.sleep(2_500));
  const recovered = await mostWhile(tenant, Bun.sleep(500));
  const all = await end();
  expect(all.filter(({ status }) => status !== 200)).toEqual([]);
  // Until all threads have spoken, each node goes by its share, with what it holds already counted in it.
  expect(forgotten).toBeLessThanOrEqual(LIMIT + (NODES - 1) * shareOf(LIMIT, NODES));
  expect(recovered).toBeLessThanOrEqual(LIMIT);
  await allQuiet(tenant);
}, 60_000);

test("of 1,000 requests at once over all nodes exactly those run that can be paid for", async () => {
  await cluster.nodes[0]?.admin("PATCH", "/settings", {
    model_prices: [{ model: "claude-sonnet-4-6", input_usd_per_mtok: "0", output_usd_per_mtok: "1000" }],
  });
  const tenant = await cluster.tenant([{ concurrency: 0 }], { balance_usd: "0.1" });
  const plan = { delay_ms: 20, usage: { input_tokens: 5, output_tokens: 10 } };
  const known = () => Promise.all(everyNode.map((node) => cluster.nodes[node]?.admin("GET", "/settings")));
  await eventually(known, (shown) => shown.every((settings) => JSON.stringify(settings).includes("1000")));
  await eventually(
    async () => (await cluster.ask(2, "sk-unknown")).status,
    (status) => status === 401,
  );
  await Bun.sleep(1_500);
  const asked = Array.from({ length: 1_000 }, (_, place) =>
    cluster.ask(place % NODES, tenant.key, plan).then(async (answer) => {
      await answer.text();
      return answer.status;
    }),
  );
  const counts = new Map<number, number>();
  for (const status of await Promise.all(asked)) counts.set(status, (counts.get(status) ?? 0) + 1);
  expect(Object.fromEntries(counts)).toEqual({ 200: 10, 403: 990 });
  const rows = await eventually(
    () => usageOf(cluster.nodes[1] as never, tenant.userId),
    (found) => found.length === 10,
  );
  expect(rows.every(({ cost_usd: cost }) => cost === "0.01")).toBe(true);
  const user = await cluster.nodes[2]?.admin<{ balance_usd: string }>("GET", `/users/${tenant.userId}`);
  expect(Number(user?.balance_usd)).toBe(0);
}, 60_000);

test("what a killed node held is there for the others, and its successor books what it has left, once", async () => {
  const tenant = await tenantKnownToAll({ balance_usd: "1000" });
  // Answers that nobody has booked yet when the node dies.
  const whole: string[] = [];
  const last = Array.from({ length: 30 }, async () => {
    const answer = await cluster.ask(2, tenant.key);
    if (answer.ok && (await answer.text()).includes("stop_reason")) {
      whole.push(answer.headers.get("x-sluice-request-id") ?? "");
    }
  });
  await Promise.all(last);
  const stuck = Array.from({ length: 5 }, () =>
    cluster.ask(2, tenant.key, { delay_ms: 600_000 }).catch(() => undefined),
  );
  await eventually(
    () => underWay(tenant),
    (count) => count === 5,
  );
  const killedAt = performance.now();
  await cluster.nodes[2]?.kill();
  await Promise.all(stuck);
  const answers = await Promise.all(
    Array.from({ length: LIMIT }, () => cluster.ask(0, tenant.key, { delay_ms: 2_000 })),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: LIMIT }, () => 200));
  expect(performance.now() - killedAt).toBeLessThan(15_000 + 2_500);
  const successor = await cluster.nodes[2]?.restart();
  if (successor === undefined) throw new Error("the node did not start again");
  try {
    const rows = await eventually(
      () => usageOf(successor, tenant.userId),
      (found) => whole.every((id) => found.some((row) => row.request_id === id)),
      20_000,
    );
    const ids = rows.map((row) => row.request_id);
    expect(new Set(ids).size).toBe(ids.length);
    // Every answer has its row; those that the node's death broke off have none.
    expect(ids.length).toBe((trafficOf(tenant)?.total ?? 0) - stuck.length);
  } finally {
    await successor.stop();
  }
}, 120_000);
