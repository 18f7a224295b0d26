/** A node of the model test: takes, waits for, leaves and gives back slots at random, and notes what it holds. */
import { Redis } from "ioredis";
import { readRedisUrl } from "#config/redis-url.ts";
import { LocalClaims } from "#coordination/local/claims.ts";
import { LocalHolds } from "#coordination/local/holds.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { LocalSessions } from "#coordination/local/sessions.ts";
import { LocalSlots } from "#coordination/local/slots.ts";
import { LocalVitals } from "#coordination/local/vitals.ts";
import { openRedisCoordination } from "#coordination/redis/open.ts";
import { systemClock } from "#kernel/clock.ts";
import type { Lease } from "#kernel/lease.ts";
import { limitOf, NOTE, type NodeInit } from "./redis-model.ts";
import { Shuffle } from "./shuffle.ts";

/** Requests of one node that are under way at most. */
const OPEN_MAX = 30;

const init = JSON.parse(process.argv[2] ?? "") as NodeInit;
const memory = MemoryMap.create({ threads: 2, rows: 64, entriesPerThread: 1_024 });
const local = new LocalSlots(memory, 0, systemClock);
const sessions = new LocalSessions(memory, 0, systemClock);
const vitals = new LocalVitals(memory, 0, systemClock);
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const { slots, close } = await openRedisCoordination(
  {
    target: readRedisUrl(init.url),
    namespace: init.namespace,
    node: init.node,
    member: `${init.node}.0.1`,
    predecessor: undefined,
    owners: [init.node],
  },
  {
    slots: local,
    sessions,
    vitals,
    claims: new LocalClaims(local, vitals, sessions),
    holds: new LocalHolds({ memory, thread: 0, clock: systemClock, onExpired: () => undefined }),
    count: memory,
    clock: systemClock,
    log: silent,
  },
);
const shadow = new Redis(init.shadowUrl);
const shuffle = new Shuffle(init.seed);
const held: { readonly holder: number; readonly lease: Lease }[] = [];
let open = 0;
let isEnding = false;
const closing = Promise.withResolvers<void>();

async function ask(holder: number): Promise<void> {
  const leaving = new AbortController();
  open++;
  const asked = slots.acquire({
    holder: { kind: "account", id: holder },
    limit: limitOf(holder),
    waitersMax: 20,
    waitMsMax: 50 + shuffle.below(200),
    signal: leaving.signal,
  });
  if (shuffle.below(4) === 0) setTimeout(() => leaving.abort(), shuffle.below(10));
  const answer = await asked;
  if (answer.granted) {
    await shadow.eval(NOTE, 1, init.shadow, init.node, holder, 1);
    held.push({ holder, lease: answer.lease });
  }
  open--;
}

async function releaseOne(): Promise<void> {
  const [taken] = held.splice(shuffle.below(held.length), 1);
  if (taken === undefined) return;
  await shadow.eval(NOTE, 1, init.shadow, init.node, taken.holder, -1);
  taken.lease.release();
}

// Told to end it gives everything back; it goes when nobody has anything more to say to it.
process.stdin.on("data", () => {
  isEnding = true;
});
process.stdin.on("end", () => {
  isEnding = true;
  closing.resolve();
});
process.stdout.write("running\n");
while (!isEnding) {
  if (shuffle.below(100) < 45) void releaseOne();
  else if (open + held.length < OPEN_MAX) void ask(shuffle.below(init.holders));
  await Bun.sleep(shuffle.below(3));
}
while (open + held.length > 0) {
  await releaseOne();
  await Bun.sleep(1);
}
await Bun.sleep(50);
process.stdout.write(`left ${local.entriesInUse}\n`);
await closing.promise;
await close();
shadow.disconnect();
process.exit(0);
