/** Several nodes as one gateway. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SCRIPTS } from "#coordination/redis/scripts.ts";
import type { Tenant } from "#support/gateway.ts";
import { eventually, usageOf } from "#support/gateway.ts";
import { startRedis, type TestServer } from "#support/servers.ts";
import { type Cluster, openCluster } from "./cluster.ts";

const REQUESTS = 20;

let cluster: Cluster;
/** Of its own, because its every command is looked at. */
let redis: TestServer | undefined;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sluice-cluster-"));
  redis = await startRedis(folder);
  cluster = await openCluster(3, redis?.url);
}, 60_000);

afterAll(async () => {
  await cluster.close();
  await redis?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Lets every node hear of a tenant, which is told to them and not waited for. */
async function known({ key }: Tenant): Promise<void> {
  const statuses = () => Promise.all([0, 1, 2].map(async (node) => (await cluster.ask(node, key)).status));
  await eventually(statuses, (answers) => answers.every((status) => status === 200));
}

test("three nodes never send an account more at once than its limit, and everybody is served", async () => {
  const tenant = await cluster.tenant([{ concurrency: 7 }]);
  await known(tenant);
  const answers = await Promise.all(
    Array.from({ length: 90 }, (_, index) => cluster.ask(index % 3, tenant.key, { delay_ms: 50 })),
  );
  expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
  const { byKey } = cluster.simulator.stats();
  expect(byKey[tenant.upstreamKeys[0] ?? ""]?.maxInFlight).toBe(7);
}, 60_000);

test("a user's limit holds over all nodes", async () => {
  const tenant = await cluster.tenant([{ concurrency: 100 }], { concurrency: 3 });
  await known(tenant);
  await Promise.all(
    Array.from({ length: 12 }, (_, index) => cluster.ask(index % 3, tenant.key, { delay_ms: 50 })),
  );
  const { byKey } = cluster.simulator.stats();
  expect(byKey[tenant.upstreamKeys[0] ?? ""]?.maxInFlight).toBe(3);
}, 60_000);

test("a key that is taken back on one node is refused by all within a second", async () => {
  const tenant = await cluster.tenant([{}]);
  await known(tenant);
  await cluster.nodes[1]?.admin("DELETE", `/api-keys/${tenant.keyId}`);
  const statuses = () =>
    Promise.all([0, 1, 2].map(async (node) => (await cluster.ask(node, tenant.key)).status));
  await eventually(statuses, (answers) => answers.every((status) => status === 401), 1_000);
});

test("what one node has booked, every node shows", async () => {
  const tenant = await cluster.tenant([{}]);
  await known(tenant);
  const [first, , third] = cluster.nodes;
  const rows = () => (third === undefined ? [] : usageOf(third, tenant.userId));
  await eventually(rows, (found) => found.length >= 3);
  const balances = () =>
    Promise.all([first, third].map((node) => node?.admin("GET", `/users/${tenant.userId}`)));
  const shown = await balances();
  expect(shown[0]?.["balance_usd"]).toBe(shown[1]?.["balance_usd"]);
});

test("a request that meets no other asks Redis for its slot, its account and its money, and for nothing else", async () => {
  const tenant = await cluster.tenant([{}]);
  await known(tenant);
  const commands: string[] = [];
  const stop = await monitored(redis?.url ?? "", commands);
  for (let count = 0; count < REQUESTS; count++) await (await cluster.ask(0, tenant.key)).text();
  await Bun.sleep(100);
  stop();
  const seen = commands.filter((line) => line.includes(`{${cluster.namespace}}`)).map(nameOf);
  const per = (name: string): number => seen.filter((script) => script === name).length / REQUESTS;
  // Let in with its money set aside, of the user and of the key, and an account's slot; nobody waits for what is
  // given back.
  const asked = { enter: per("enter"), claim: per("claim"), setAside: per("setAside") };
  expect(asked).toEqual({ enter: 1, claim: 1, setAside: 0 });
  expect(per("leave")).toBeLessThanOrEqual(2);
  expect(per("accountFor")).toBeLessThanOrEqual(4);
  const ofRequests = ["enter", "claim", "setAside", "leave", "accountFor"];
  const others = seen.filter((script) => !ofRequests.includes(script));
  // Signs of life, what the leader tells, and limits told again after a change: however many requests there are.
  const apart = ["beat", "lead", "tellNews", "say", "setLimit"];
  expect(others.filter((script) => !apart.includes(script))).toEqual([]);
});

const NAMES = new Map(
  SCRIPTS.map(([name, text]) => [createHash("sha1").update(text).digest("hex"), name as string]),
);

/** Which script was run: by its digest, or, by a connection that runs it for the first time, as a whole. */
function nameOf(line: string): string {
  const [command = "", script = ""] = [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = ""]) => word);
  if (command.toLowerCase() !== "eval") return NAMES.get(script) ?? `${command} ${script}`;
  const text = JSON.parse(`"${script.replaceAll("\\x", "\\u00")}"`) as string;
  return NAMES.get(createHash("sha1").update(text).digest("hex")) ?? command;
}

/** Notes every command that Redis is sent by a client, one a line, until it is stopped (https://redis.io/docs/latest/commands/monitor/). */
async function monitored(url: string, commands: string[]): Promise<() => void> {
  const { hostname, port } = new URL(url);
  const ready = Promise.withResolvers<void>();
  let rest = "";
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_, bytes) => {
        const lines = `${rest}${bytes.toString("latin1")}`.split("\r\n");
        rest = lines.pop() ?? "";
        ready.resolve();
        commands.push(...lines.filter((line) => !line.includes(" lua] ")));
      },
    },
  });
  socket.write("MONITOR\r\n");
  await ready.promise;
  return () => void socket.end();
}
