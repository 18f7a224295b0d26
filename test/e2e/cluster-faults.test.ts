/** Several nodes as one gateway, on a Redis that fails, and with nodes that die. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { eventually, type Tenant } from "#support/gateway.ts";
import { startRedis, type TestServer } from "#support/servers.ts";
import { type Cluster, openCluster } from "./cluster.ts";

const LIMIT = 6;

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
  cluster = await openCluster(3, server.url, { LOG_LEVEL: "warn" });
}, 60_000);

afterAll(async () => {
  await cluster.close();
  redis.disconnect();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

async function tenantKnownToAll(account: Record<string, unknown> = {}): Promise<Tenant> {
  const tenant = await cluster.tenant([{ concurrency: LIMIT, ...account }]);
  const statuses = () => Promise.all([0, 1, 2].map(async (at) => (await cluster.ask(at, tenant.key)).status));
  await eventually(statuses, (answers) => answers.every((status) => status === 200));
  return tenant;
}

const most = ({ upstreamKeys }: Tenant): number =>
  cluster.simulator.stats().byKey[upstreamKeys[0] ?? ""]?.maxInFlight ?? 0;
const inFlight = async (tenant: Tenant): Promise<number> => {
  const [id] = tenant.accountIds;
  const shown = await cluster.nodes[0]?.admin<{ in_flight: number }>("GET", `/accounts/${id}/status`);
  return shown?.in_flight ?? -1;
};

/** Keeps so many requests going at each of the nodes until told to end; gives every answer's status and duration. */
function load(tenant: Tenant, clients: number, nodes: readonly number[]) {
  const seen: { status: number; ms: number; atMs: number }[] = [];
  let isOver = false;
  const client = async (node: number): Promise<void> => {
    while (!isOver) {
      const startedAt = performance.now();
      const answer = await cluster.ask(node, tenant.key, { delay_ms: 20 });
      await answer.text();
      seen.push({ status: answer.status, ms: performance.now() - startedAt, atMs: startedAt });
    }
  };
  const running = nodes.flatMap((node) => Array.from({ length: clients }, () => client(node)));
  const end = async () => {
    isOver = true;
    await Promise.all(running);
    return seen;
  };
  return { seen, end };
}

test("while Redis stands still every request is answered, each node within its share, and all is well afterwards", async () => {
  const tenant = await tenantKnownToAll();
  const { seen, end } = load(tenant, 3, [0, 1, 2]);
  await Bun.sleep(500);
  const pausedAt = performance.now();
  await redis.call("CLIENT", "PAUSE", "4000", "ALL");
  await Bun.sleep(2_000);
  const sinceBreaker = seen.filter(({ atMs }) => atMs > pausedAt + 1_200);
  expect(sinceBreaker.length).toBeGreaterThan(10);
  await eventually(
    async () => (await fetch(`${cluster.nodes[0]?.url}/metrics`)).text(),
    (text) => /sluice_redis_threads_down 0/.test(text) && /sluice_redis_losses [1-9]/.test(text),
    10_000,
  );
  const all = await end();
  expect(all.filter(({ status }) => status !== 200)).toEqual([]);
  expect(most(tenant)).toBeLessThanOrEqual(LIMIT);
  await eventually(
    () => inFlight(tenant),
    (count) => count === 0,
  );
  const held = `sluice:1:{${cluster.namespace}}:held:a${tenant.accountIds[0]}`;
  expect(await redis.exists(held)).toBe(0);
}, 60_000);

test("a Redis that has forgotten everything is told again at once", async () => {
  const tenant = await tenantKnownToAll();
  const { end } = load(tenant, 4, [0, 1, 2]);
  await Bun.sleep(300);
  await redis.flushall();
  await Bun.sleep(1_000);
  const before = most(tenant);
  const all = await end();
  expect(all.filter(({ status }) => status !== 200)).toEqual([]);
  // What was in flight and what was let in before all had spoken.
  expect(before).toBeLessThanOrEqual(2 * LIMIT);
  await eventually(
    () => inFlight(tenant),
    (count) => count === 0,
  );
}, 60_000);

test("what a killed node held is there for the others within fifteen seconds", async () => {
  const tenant = await tenantKnownToAll();
  const stuck = Array.from({ length: LIMIT - 1 }, () =>
    cluster.ask(2, tenant.key, { delay_ms: 600_000 }).catch(() => undefined),
  );
  await eventually(
    () => inFlight(tenant),
    (count) => count === LIMIT - 1,
  );
  const killedAt = performance.now();
  await cluster.nodes[2]?.kill();
  await Promise.all(stuck);
  const answers = await Promise.all(
    Array.from({ length: LIMIT }, () => cluster.ask(0, tenant.key, { delay_ms: 2_000 })),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: LIMIT }, () => 200));
  expect(performance.now() - killedAt).toBeLessThan(15_000 + 2_500);
}, 60_000);
