import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchRun } from "./bench-run.ts";
import { makeDatabase } from "./databases.ts";
import { ask, HAND_OFF_TABLE, LIMIT, measureHandOff } from "./hand-off.ts";
import { percentiles } from "./percentiles.ts";
import { type ServingProcess, serve } from "./processes.ts";
import { openSluice, type Sluice } from "./stage.ts";

const NODES = 3;
/** Clients of each node, and for how long the upstream keeps each of their requests, in milliseconds. */
const CLIENTS = 4;
const HOLD_MS = 20;
/** Longest that threads take to hear of a change. */
const KNOWN_MS = 1_500;
const MEASURED_MS = 10_000;
/** For so long after Redis has stopped, those under way are still waiting for it. */
const NOTICED_MS = 2_500;

/** A slot that goes from node to node, and what a request costs in time while Redis stands still. */
export async function clusterNodes({ options, say, report }: BenchRun): Promise<void> {
  if (options.postgres === undefined) throw new Error("several nodes need a PostgreSQL: --postgres");
  const folder = mkdtempSync(join(tmpdir(), "sluice-redis-"));
  const redis = await openRedis(folder);
  const database = await makeDatabase(options.postgres);
  const simulator = await serve({
    name: "simulator",
    args: ["src/simulator/main.ts", "--port", "0"],
    urlIn: /"url":"([^"]+)"/,
  });
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    ENCRYPTION_KEY: Buffer.alloc(32, 1).toString("base64"),
    ACCOUNT_WAITERS_MAX: "1000",
    ACCOUNT_WAIT_SECONDS: "120",
    LOG_LEVEL: "silent",
  };
  const nodes: Sluice[] = [];
  try {
    for (let node = 0; node < NODES; node++) {
      nodes.push(
        await openSluice({ ...options, postgres: undefined, redis: undefined, pin: false }, { env }),
      );
    }
    const urls = nodes.map(({ url }) => url);
    say("handing slots on");
    const upstream = simulator.url;
    const limited = await nodes[0]?.tenant({ upstream, concurrency: LIMIT });
    const free = await nodes[0]?.tenant({ upstream });
    const pid = nodes[0]?.pid;
    if (limited === undefined || free === undefined || pid === undefined)
      throw new Error("no node has started");
    await Bun.sleep(KNOWN_MS);
    report({
      ...HAND_OFF_TABLE,
      id: "cluster-hand-off",
      title: "Handing a slot on between three nodes, with a full line",
      rows: await measureHandOff({ urls, pid, ...limited, simulatorUrl: upstream }),
    });
    say("stopping Redis");
    report(await whileRedisStops(redis, urls, free.key));
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
    await simulator.stop();
    await redis.stop();
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function whileRedisStops(redis: ServingProcess, urls: readonly string[], key: string) {
  await timesOf(urls, key, MEASURED_MS / 2);
  const before = await timesOf(urls, key, MEASURED_MS);
  process.kill(redis.pid, "SIGSTOP");
  const noticing = await timesOf(urls, key, NOTICED_MS);
  const stopped = await timesOf(urls, key, MEASURED_MS);
  process.kill(redis.pid, "SIGCONT");
  await timesOf(urls, key, NOTICED_MS);
  const after = await timesOf(urls, key, MEASURED_MS);
  const rows = [
    { name: "Redis answers", times: before },
    { name: `its first ${NOTICED_MS / 1_000} s without a sign`, times: noticing },
    { name: "then", times: stopped },
    { name: "once it answers again", times: after },
  ];
  return {
    id: "cluster-frozen",
    title: `Requests of ${HOLD_MS} ms at three nodes while Redis stands still`,
    columns: [
      { name: "requests" },
      ...["p50", "p99", "max"].map((name) => ({ name, unit: "ms", digits: 1 })),
    ],
    rows: rows.map(({ name, times }) => {
      const { p50, p99, max } = percentiles(times);
      return { name, cells: [times.length, p50, p99, max] };
    }),
    notes: ["Every request is answered with 200, or the benchmark fails."],
  };
}

/** How long each request took, in milliseconds, of clients that send one after the other for so long. */
async function timesOf(urls: readonly string[], key: string, forMs: number): Promise<readonly number[]> {
  const times: number[] = [];
  const until = performance.now() + forMs;
  const client = async (url: string): Promise<void> => {
    while (performance.now() < until) {
      const startedAt = performance.now();
      await ask(url, key, HOLD_MS);
      times.push(performance.now() - startedAt);
    }
  };
  await Promise.all(urls.flatMap((url) => Array.from({ length: CLIENTS }, () => client(url))));
  return times;
}

/** A Redis of its own, because it is stopped on the way. */
async function openRedis(folder: string): Promise<ServingProcess> {
  const probe = Bun.serve({ port: 0, fetch: () => new Response() });
  const { port } = probe;
  await probe.stop(true);
  const options = [
    "--port",
    `${port}`,
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--dir",
    folder,
  ];
  const server = await serve({
    name: "Redis",
    program: "redis-server",
    args: options,
    urlIn: /(Ready to accept connections)/,
  });
  return { ...server, url: `redis://127.0.0.1:${port}` };
}
