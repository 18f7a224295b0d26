/** Slots at Redis under random schedules over three processes, some of which die. */
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { Redis } from "ioredis";
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
