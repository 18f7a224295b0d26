import { afterAll } from "bun:test";
import { Redis } from "ioredis";
import { readRedisUrl } from "#config/redis-url.ts";
import { LocalClaims } from "#coordination/local/claims.ts";
import { LocalHolds } from "#coordination/local/holds.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { LocalSessions } from "#coordination/local/sessions.ts";
import { LocalSlots } from "#coordination/local/slots.ts";
import { LocalVitals } from "#coordination/local/vitals.ts";
import { keyBase } from "#coordination/redis/keys.ts";
import { openRedisCoordination, type RedisCoordination } from "#coordination/redis/open.ts";
import { type Clock, systemClock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";

const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const SIZE = { threads: 2, rows: 256, entriesPerThread: 4_096 };

let names = 0;

/** One thread of a node, and the memory that its node has. */
export interface RedisMember extends RedisCoordination {
  readonly member: string;
  readonly memory: MemoryMap;
}

/** A namespace of its own on a Redis, whose keys are deleted after the tests of the file. */
export class RedisStage {
  readonly url: string;
  readonly namespace = `test-${process.pid}-${++names}`;
  readonly admin: Redis;
  readonly #members: RedisMember[] = [];

  /** Closed after the tests of the file, unless it is made for a server of its own and closed with that. */
  constructor(url = process.env["TEST_REDIS_URL"], closesItself = true) {
    if (url === undefined) throw new Error("TEST_REDIS_URL is not set");
    this.url = url;
    this.admin = new Redis(url);
    if (closesItself) afterAll(() => this.close());
  }

  get base(): string {
    return keyBase(this.namespace);
  }

  async member(clock: Clock = systemClock, memory = MemoryMap.create(SIZE)): Promise<RedisMember> {
    const member = `node-${++names}.0.1`;
    const slots = new LocalSlots(memory, 0, systemClock);
    const sessions = new LocalSessions(memory, 0, systemClock);
    const vitals = new LocalVitals(memory, 0, systemClock);
    const seat = {
      target: readRedisUrl(this.url),
      namespace: this.namespace,
      node: member.split(".")[0] ?? "",
      member,
      predecessor: undefined,
      owners: [member] as const,
    };
    const opened = await openRedisCoordination(seat, {
      slots,
      sessions,
      vitals,
      claims: new LocalClaims(slots, vitals, sessions),
      holds: new LocalHolds({ memory, thread: 0, clock, onExpired: () => undefined }),
      count: memory,
      clock,
      log: SILENT,
    });
    const made = { ...opened, member, memory };
    this.#members.push(made);
    return made;
  }

  /** Makes everything that ends some time end so much sooner. */
  async advance(ms: number): Promise<void> {
    for (const key of await this.keys()) {
      if (key.includes(":ends:")) {
        for (const lease of await this.admin.zrange(key, "0", "-1"))
          await this.admin.zincrby(key, -ms, lease);
      }
      const left = Number(await this.admin.pttl(key));
      if (left >= 0) await this.admin.pexpire(key, left - ms);
    }
  }

  async keys(): Promise<readonly string[]> {
    return await this.admin.keys(`${this.base}*`);
  }

  async close(): Promise<void> {
    for (const member of this.#members.splice(0)) await member.close();
    const keys = await this.keys();
    if (keys.length > 0) await this.admin.del(...keys);
    this.admin.disconnect();
  }
}
