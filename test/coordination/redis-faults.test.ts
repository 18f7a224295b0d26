/** Slots at a Redis that stands still, is frozen, dies and forgets, under three processes, some of which die. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { eventually } from "#support/gateway.ts";
import { startRedis, type TestServer } from "#support/servers.ts";
import { NODES, Schedule } from "./redis-schedule.ts";

/** How long the random schedule lasts, in milliseconds; longer where somebody asks for it. */
const LASTS_MS = Number(process.env["REDIS_MODEL_MS"] ?? 5_000);
/** How long Redis does not answer: longer than it is waited for. */
const SILENT_MS = 1_500;
/** What the dead held is given back within this time, in milliseconds. */
const BURIED_MS_MAX = 15_000;

let dir: string;
let server: TestServer;
let admin: Redis;
let schedule: Schedule;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-faults-"));
  server = (await startRedis(dir)) as TestServer;
  admin = new Redis(server.url);
  // Its connection breaks together with those of the nodes.
  admin.on("error", () => undefined);
  schedule = new Schedule(server.url);
  await schedule.start();
  // A share is known when everybody knows of everybody.
  await Bun.sleep(700);
}, 30_000);

afterAll(async () => {
  await schedule.close();
  admin.disconnect();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const FAULTS = {
  "stands still": async (): Promise<void> => {
    await admin.call("CLIENT", "PAUSE", String(SILENT_MS), "ALL");
    await Bun.sleep(SILENT_MS);
  },
  "is frozen": async (): Promise<void> => {
    const [, pid] = /process_id:(\d+)/.exec(await admin.info("server")) ?? [];
    process.kill(Number(pid), "SIGSTOP");
    await Bun.sleep(SILENT_MS);
    process.kill(Number(pid), "SIGCONT");
  },
  "comes back empty": async (): Promise<void> => {
    await server.close();
    server = (await startRedis(dir, Number(new URL(server.url).port))) as TestServer;
  },
  forgets: async (): Promise<void> => void (await admin.flushall()),
};

/**
 * The most that may be held at once by three nodes after a fault: each may keep what it held, or fill up to its share,
 * and one at least held something when nothing was left.
 */
const afterFault = (limit: number): number => limit + (NODES - 1) * Math.max(1, Math.floor(limit / NODES));

/** Waits until Redis has heard of every node that lives, and what it said goes again for all of them. */
async function healed(): Promise<void> {
  const now = async (): Promise<number> => Number((await admin.time())[0]) * 1_000;
  const since = await eventually(
    () => now().catch(() => 0),
    (time) => time > 0,
    10_000,
  );
  const heard = async (): Promise<number> => {
    const scores = await Promise.all(
      schedule.nodes.map((node) => admin.zscore(`${schedule.base}:members`, `${node}.0.1`)),
    );
    return scores.filter((score) => Number(score) > since).length;
  };
  await eventually(heard, (nodes) => nodes === NODES, 10_000);
  await eventually(
    () => admin.exists(`${schedule.base}:settling`),
    (count) => count === 0,
    10_000,
  );
}

/** Leases that Redis has, of nodes that live and of all. */
async function leases(): Promise<{ readonly ofLiving: readonly string[]; readonly all: readonly string[] }> {
  const keys = [
    ...(await admin.keys(`${schedule.base}:held:*`)),
    ...(await admin.keys(`${schedule.base}:line:*`)),
  ];
  const all = (await Promise.all(keys.map((key) => admin.zrange(key, "0", "-1")))).flat();
  return { all, ofLiving: all.filter((lease) => schedule.nodes.includes(lease.split(".")[0] ?? "")) };
}

for (const [name, happen] of Object.entries(FAULTS)) {
  test(`when Redis ${name}, each node keeps to what it held or its share, and all to the limit afterwards`, async () => {
    await schedule.forgetMost();
    await Bun.sleep(500);
    await happen();
    await healed();
    const { seed } = schedule;
    expect({ seed, exceeded: await schedule.exceeded(afterFault) }).toEqual({ seed, exceeded: [] });
    // What nodes held beyond the limit ends first.
    await Bun.sleep(300);
    await schedule.forgetMost();
    await Bun.sleep(1_000);
    expect({ seed, exceeded: await schedule.exceeded((limit) => limit) }).toEqual({ seed, exceeded: [] });
  }, 30_000);
}

test("one fault on top of the other, killed nodes included, changes nothing about that, and leaves nothing behind", async () => {
  await schedule.forgetMost();
  const faults = [...Object.values(FAULTS), () => schedule.killOne()];
  const until = performance.now() + LASTS_MS;
  while (performance.now() < until) {
    await Bun.sleep(schedule.shuffle.below(1_000));
    await faults[schedule.shuffle.below(faults.length)]?.();
  }
  await healed();
  const { seed } = schedule;
  expect({ seed, exceeded: await schedule.exceeded(afterFault) }).toEqual({ seed, exceeded: [] });
  const left = await schedule.end();
  expect({ seed, left }).toEqual({ seed, left: left.map(() => "left 0") });
  await eventually(leases, ({ ofLiving }) => ofLiving.length === 0, 1_000);
  await eventually(leases, ({ all }) => all.length === 0, BURIED_MS_MAX);
}, 120_000);
