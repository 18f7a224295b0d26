import { expect } from "bun:test";
import { join } from "node:path";
import { Redis } from "ioredis";
import { FORGET, limitOf, type NodeInit } from "./redis-model.ts";
import { Shuffle } from "./shuffle.ts";

/** Nodes that run at the same time. */
export const NODES = 3;
const HOLDERS = 8;

/** One node, and all that it has said. */
interface Node {
  readonly child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly said: (pattern: RegExp) => Promise<string>;
}

/** Three nodes that take, wait for and give back slots of one Redis, and what they hold by their own account. */
export class Schedule {
  readonly seed = Number(process.env["SLOTS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  readonly shuffle = new Shuffle(this.seed);
  readonly #shadow: Redis;
  readonly #init: Omit<NodeInit, "node" | "seed">;
  readonly #running = new Map<string, Node>();
  #started = 0;

  constructor(url: string) {
    const shadowUrl = process.env["TEST_REDIS_URL"] ?? "";
    this.#shadow = new Redis(shadowUrl);
    const namespace = `model-${process.pid}-${this.seed}`;
    this.#init = { url, namespace, holders: HOLDERS, shadowUrl, shadow: `shadow:${namespace}` };
  }

  get base(): string {
    return `sluice:1:{${this.#init.namespace}}`;
  }

  /** The nodes that live, by the names that members and leases begin with. */
  get nodes(): readonly string[] {
    return [...this.#running.keys()];
  }

  async start(): Promise<void> {
    await Promise.all(Array.from({ length: NODES }, () => this.spawn()));
  }

  /** Starts a node; answers when it asks for slots. */
  async spawn(): Promise<void> {
    const node = `n${++this.#started}`;
    const init: NodeInit = { ...this.#init, node, seed: this.shuffle.below(2 ** 31) };
    const script = join(import.meta.dir, "redis-model-node.ts");
    const child = Bun.spawn([process.execPath, script, JSON.stringify(init)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const said = listener(child.stdout);
    this.#running.set(node, { child, said });
    await said(/running/);
  }

  async killOne(): Promise<void> {
    const node = this.nodes[this.shuffle.below(this.#running.size)] ?? "";
    const child = this.#running.get(node)?.child;
    this.#running.delete(node);
    child?.kill("SIGKILL");
    await child?.exited;
    // What it has sent to the shadow before it died may still be on its way.
    await Bun.sleep(50);
    await this.#shadow.eval(FORGET, 1, this.#init.shadow, node);
    await this.spawn();
  }

  /** Lets all nodes give everything back, and go on living; what each of them has left, by its own account. */
  async end(): Promise<readonly string[]> {
    const left = [...this.#running.values()].map(({ child, said }) => {
      child.stdin.write("end\n");
      child.stdin.flush();
      return said(/left \d+/);
    });
    return await Promise.all(left);
  }

  /** The holders of which more than this was held at once since it was last forgotten. */
  async exceeded(most: (limit: number) => number): Promise<readonly string[]> {
    const seen = await this.#shadow.hgetall(`${this.#init.shadow}:most`);
    expect(Object.keys(seen).length).toBe(HOLDERS);
    return Object.entries(seen)
      .filter(([holder, count]) => Number(count) > most(limitOf(Number(holder))))
      .map(([holder, count]) => `${holder}: ${count} of ${limitOf(Number(holder))}`);
  }

  /** Forgets how much was ever held at once. */
  async forgetMost(): Promise<void> {
    await this.#shadow.del(`${this.#init.shadow}:most`);
  }

  async close(): Promise<void> {
    for (const { child } of this.#running.values()) {
      child.kill("SIGKILL");
      await child.exited;
    }
    const keys = await this.#shadow.keys(`${this.#init.shadow}*`);
    if (keys.length > 0) await this.#shadow.del(...keys);
    this.#shadow.disconnect();
  }
}

/** Reads on until something has been said that fits. */
function listener(output: ReadableStream<Uint8Array>): Node["said"] {
  const reader = output.getReader();
  const decoder = new TextDecoder();
  let text = "";
  return async (pattern) => {
    for (;;) {
      const [found] = pattern.exec(text) ?? [];
      if (found !== undefined) return found;
      const { done, value } = await reader.read();
      if (done) return "nothing said";
      text += decoder.decode(value, { stream: true });
    }
  };
}
