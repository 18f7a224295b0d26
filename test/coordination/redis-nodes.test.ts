/** Slots at Redis under random schedules over three processes, some of which die, on a Redis that fails. */
import { afterEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
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

  /** The holders of which more than `times` their limit was ever held at once. */
  async exceeded(times: number): Promise<readonly string[]> {
    const most = await this.shadow.hgetall(`${this.#init.shadow}:most`);
    expect(Object.keys(most).length).toBe(HOLDERS);
    return Object.entries(most)
      .filter(([holder, count]) => Number(count) > times * limitOf(Number(holder)))
      .map(([holder, count]) => `${holder}: ${count}`);
  }

  async close(): Promise<void> {
    for (const child of this.#running.values()) child.kill("SIGKILL");
    const keys = await this.shadow.keys(`${this.#init.shadow}*`);
    if (keys.length > 0) await this.shadow.del(...keys);
    this.shadow.disconnect();
  }
}

/** What Redis has of leases, those of the dead included until they are buried. */
async function leasesIn(redis: Redis, base: string): Promise<number> {
  const keys = [...(await redis.keys(`${base}:held:*`)), ...(await redis.keys(`${base}:line:*`))];
  return keys.length;
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
  expect({ seed, exceeded: await schedule.exceeded(1) }).toEqual({ seed, exceeded: [] });
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
  await Bun.sleep(900);
  const left = await schedule.end();
  const { seed } = schedule;
  // In the worst case each of two nodes uses its share on top of what the others hold by Redis' word.
  expect({ seed, exceeded: await schedule.exceeded(3) }).toEqual({ seed, exceeded: [] });
  expect({ seed, left }).toEqual({ seed, left: left.map(() => "0") });
  const leases = await eventually(
    () => leasesIn(admin, schedule.base),
    (count) => count === 0,
    5_000,
  ).catch(String);
  expect({ seed, leases }).toEqual({ seed, leases: 0 });
  admin.disconnect();
  await server.close();
  await rm(dir, { recursive: true, force: true });
}, 120_000);
