/** Slots at Redis under random schedules over three processes, some of which die, on a Redis that fails. */
import { afterEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { shareOf } from "#coordination/redis/slots.ts";
import { eventually } from "#support/gateway.ts";
import { freePort, startRedis, type TestServer } from "#support/servers.ts";
import { FORGET, limitOf, type NodeInit } from "./redis-model.ts";
import { Shuffle } from "./shuffle.ts";

const NODES = 3;
const HOLDERS = 8;
/** How long the schedules last, in milliseconds; longer where somebody asks for it. */
const LASTS_MS = Number(process.env["REDIS_MODEL_MS"] ?? 5_000);

const schedules: Schedule[] = [];

afterEach(async () => {
  for (const schedule of schedules.splice(0)) await schedule.close();
});

class Schedule {
  readonly seed = Number(process.env["SLOTS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  readonly shuffle = new Shuffle(this.seed);
  readonly shadow: Redis;
  readonly killed = new Set<string>();
  readonly #init: Omit<NodeInit, "node" | "seed">;
  readonly #running = new Map<string, Bun.Subprocess<"pipe", "pipe", "inherit">>();
  #started = 0;

  constructor(url: string) {
    schedules.push(this);
    const shadowUrl = process.env["TEST_REDIS_URL"] ?? "";
    this.shadow = new Redis(shadowUrl);
    const namespace = `model-${process.pid}-${this.seed}`;
    this.#init = { url, namespace, holders: HOLDERS, shadowUrl, shadow: `shadow:${namespace}` };
  }

  get base(): string {
    return `sluice:1:{${this.#init.namespace}}`;
  }

  spawn(): void {
    const node = `n${++this.#started}`;
    const init: NodeInit = { ...this.#init, node, seed: this.shuffle.below(2 ** 31) };
    const script = join(import.meta.dir, "redis-model-node.ts");
    const child = Bun.spawn([process.execPath, script, JSON.stringify(init)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#running.set(node, child);
  }

  async killOne(): Promise<void> {
    const names = [...this.#running.keys()];
    const node = names[this.shuffle.below(names.length)] ?? "";
    const child = this.#running.get(node);
    this.#running.delete(node);
    this.killed.add(node);
    child?.kill("SIGKILL");
    await child?.exited;
    // What it has sent to the shadow before it died may still be on its way.
    await Bun.sleep(50);
    await this.shadow.eval(FORGET, 1, this.#init.shadow, node);
    this.spawn();
  }

  /** Lets all nodes give everything back; what each of them has left, by its own account. */
  async end(): Promise<readonly string[]> {
    const left = await Promise.all(
      [...this.#running.values()].map(async (child) => {
        child.stdin.write("end\n");
        child.stdin.end();
        return /left (\d+)/.exec(await new Response(child.stdout).text())?.[1] ?? "nothing said";
      }),
    );
    return left;
  }

  /** The holders of which more was ever held at once than this bound on their limit. */
  async exceeded(bound: (limit: number) => number): Promise<readonly string[]> {
    const most = await this.shadow.hgetall(`${this.#init.shadow}:most`);
    expect(Object.keys(most).length).toBe(HOLDERS);
    return Object.entries(most)
      .filter(([holder, count]) => Number(count) > bound(limitOf(Number(holder))))
      .map(([holder, count]) => `${holder}: ${count}`);
  }

  async close(): Promise<void> {
    for (const child of this.#running.values()) child.kill("SIGKILL");
    const keys = await this.shadow.keys(`${this.#init.shadow}*`);
    if (keys.length > 0) await this.shadow.del(...keys);
    this.shadow.disconnect();
  }
}

/** Waits until Redis answers again and has heard of every node since: what a node ends in an outage, others bury. */
async function allHeard(redis: Redis, base: string): Promise<void> {
  const [seconds] = await eventually(
    () => redis.time().catch(() => []),
    (time) => time.length > 0,
  );
  const since = (Number(seconds) + 1) * 1_000;
  const heard = async (): Promise<number> => Number(await redis.zcount(`${base}:members`, since, "+inf"));
  await eventually(heard, (nodes) => nodes >= NODES);
}

/** Faults of the schedule whose consequences can meet: they come faster than slots are given back. */
const FAULTS_AT_ONCE = 2;

/**
 * On top of what is in flight, which is the limit at most, each other node may use its share while Redis cannot be
 * asked; and one that has forgotten grants what is free by those that have spoken already.
 */
function mostUnderFaults(limit: number): number {
  return limit + FAULTS_AT_ONCE * Math.max(limit, (NODES - 1) * shareOf(limit, NODES));
}

/** What Redis has of leases, but for those of the killed, which nobody is left to bury. */
async function leasesIn(redis: Redis, { base, killed }: Schedule): Promise<readonly string[]> {
  const keys = [...(await redis.keys(`${base}:held:*`)), ...(await redis.keys(`${base}:line:*`))];
  const leases = await Promise.all(keys.map((key) => redis.zrange(key, "0", "-1")));
  return leases.flat().filter((lease) => !killed.has(lease.split(".")[0] ?? ""));
}

test("no schedule over three nodes, killed ones included, grants beyond a limit or leaks a slot", async () => {
  const url = process.env["TEST_REDIS_URL"] ?? "";
  const schedule = new Schedule(url);
  for (let node = 0; node < NODES; node++) schedule.spawn();
  const until = performance.now() + LASTS_MS;
  while (performance.now() < until) {
    await Bun.sleep(300 + schedule.shuffle.below(700));
    await schedule.killOne();
  }
  const left = await schedule.end();
  const { seed } = schedule;
  expect({ seed, exceeded: await schedule.exceeded((limit) => limit) }).toEqual({ seed, exceeded: [] });
  expect({ seed, left }).toEqual({ seed, left: left.map(() => "0") });
}, 120_000);

test("no schedule in which Redis stands still, dies and comes back empty leaks a slot or grants without bound", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sluice-model-"));
  const port = await freePort();
  let server = (await startRedis(dir, port)) as TestServer;
  const schedule = new Schedule(server.url);
  for (let node = 0; node < NODES; node++) schedule.spawn();
  const admin = new Redis(server.url);
  admin.on("error", () => undefined);
  const until = performance.now() + LASTS_MS;
  while (performance.now() < until) {
    await Bun.sleep(500 + schedule.shuffle.below(500));
    const fault = schedule.shuffle.below(4);
    if (fault === 0) await schedule.killOne();
    else if (fault === 1) await admin.call("CLIENT", "PAUSE", "1500", "ALL");
    else if (fault === 2) await admin.flushall();
    else {
      await server.close();
      server = (await startRedis(dir, port)) as TestServer;
    }
  }
  await allHeard(admin, schedule.base);
  const left = await schedule.end();
  const { seed } = schedule;
  expect({ seed, exceeded: await schedule.exceeded(mostUnderFaults) }).toEqual({ seed, exceeded: [] });
  expect({ seed, left }).toEqual({ seed, left: left.map(() => "0") });
  const leases = await eventually(
    () => leasesIn(admin, schedule),
    (left) => left.length === 0,
    5_000,
  ).catch(String);
  expect({ seed, leases }).toEqual({ seed, leases: [] });
  admin.disconnect();
  await server.close();
  await rm(dir, { recursive: true, force: true });
}, 120_000);
