import { expect, test } from "bun:test";
import { LocalHolds } from "#coordination/local/holds.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { reapThread } from "#coordination/local/reap.ts";
import { systemClock } from "#kernel/clock.ts";
import { startHammer } from "./hammer-worker.ts";
import { HAMMERED, type HoldsHammerInit, ownAt, sumAt, TAKES, VIOLATIONS } from "./holds-hammer.ts";

const THREADS = 3;
const VICTIM = THREADS;
const SUPERVISOR = THREADS + 1;
const ROUNDS = 300_000;
const KILLS = 8;

test("threads that fight for the same money, one of them killed again and again, never spend more than there is", async () => {
  const memory = MemoryMap.create({ threads: THREADS + 2, rows: 16, entriesPerThread: 1, holdsPerThread: 8 });
  const shadow = new SharedArrayBuffer(4 * ownAt(THREADS + 1, 0));
  const counts = new Int32Array(shadow);
  const seed = Math.floor(Math.random() * 2 ** 31);
  const init = (thread: number, rounds: number): HoldsHammerInit => ({
    memory: memory.buffer,
    shadow,
    thread,
    seed: seed + thread,
    rounds,
  });
  const workers = Array.from({ length: THREADS }, (_, thread) => start(init(thread, ROUNDS)));
  for (let kill = 0; kill < KILLS; kill++) {
    const before = Atomics.load(counts, TAKES);
    const victim = start(init(VICTIM, 0));
    while (Atomics.load(counts, TAKES) === before) await Bun.sleep(1);
    await Bun.sleep(40);
    victim.worker.terminate();
    await victim.closed;
    for (let purse = 0; purse < HAMMERED; purse++) {
      Atomics.sub(counts, sumAt(purse), Atomics.exchange(counts, ownAt(VICTIM, purse), 0));
    }
    await reapThread(memory, VICTIM, SUPERVISOR);
  }
  await Promise.all(workers.map(({ done }) => done));
  for (const { worker } of workers) worker.terminate();

  const successor = new LocalHolds({
    memory,
    thread: VICTIM,
    clock: systemClock,
    onExpired: () => undefined,
  });
  successor.recount([]);
  const left = Array.from({ length: HAMMERED }, (_, id) => successor.status({ kind: "user", id }));
  expect({ seed, violations: counts[VIOLATIONS] }).toEqual({ seed, violations: 0 });
  expect(left).toEqual(left.map(() => ({ heldNanos: 0, unbookedNanos: 0 })));
  expect(counts[TAKES]).toBeGreaterThan(ROUNDS / 10);
}, 60_000);

function start(init: HoldsHammerInit) {
  return startHammer(new URL("./holds-hammer-thread.ts", import.meta.url), init);
}
