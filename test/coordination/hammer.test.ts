import { expect, test } from "bun:test";
import { SET_ENTRIES } from "#coordination/local/memory-layout.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { reapThread } from "#coordination/local/reap.ts";
import { LocalVitals } from "#coordination/local/vitals.ts";
import type { AccountId } from "#domain/ids.ts";
import { systemClock } from "#kernel/clock.ts";
import { COUNTED, type HammerInit, PROBED, PROBERS, RIGHT, WRONG } from "./hammer.ts";
import { startHammer } from "./hammer-worker.ts";

const THREADS = 3;
const VICTIM = THREADS;
const SUPERVISOR = THREADS + 1;
const ROUNDS = 250_000;
const KILLS = 5;
const NOW = Date.UTC(2027, 0, 15, 12);

test("threads that hammer one memory, one of them killed again and again, never see a wrong figure", async () => {
  const memory = MemoryMap.create({
    threads: THREADS + 2,
    rows: 512,
    entriesPerThread: 1,
    bindings: 10 * SET_ENTRIES,
    modelRests: 0,
  });
  const board = new LocalVitals(memory, SUPERVISOR, systemClock);
  const policy = { failuresMax: 1, openMs: 1, openMsMax: 1 };
  for (let index = 0; index < PROBED; index++) board.of((index + 1) as AccountId).failed(NOW - 1, policy);
  const tally = new SharedArrayBuffer((PROBERS + PROBED) * Int32Array.BYTES_PER_ELEMENT);
  const counts = new Int32Array(tally);
  const init = { memory: memory.buffer, tally, nowMs: NOW };

  const workers = Array.from({ length: THREADS }, (_, thread) => start({ ...init, thread, rounds: ROUNDS }));
  for (let kill = 0; kill < KILLS; kill++) {
    const before = Atomics.load(counts, RIGHT);
    const victim = start({ ...init, thread: VICTIM, rounds: 0 });
    while (Atomics.load(counts, RIGHT) === before) await Bun.sleep(1);
    await Bun.sleep(50);
    victim.worker.terminate();
    await victim.closed;
    await reapThread(memory, VICTIM, SUPERVISOR);
  }
  await Promise.all(workers.map(({ done }) => done));

  const [wrong, right] = [counts[WRONG], counts[RIGHT]];
  expect(wrong).toBe(0);
  expect(right).toBeGreaterThan(ROUNDS);
  expect(board.of(COUNTED as AccountId).requestsInMinute(NOW)).toBe(THREADS * ROUNDS);
  expect([...counts.subarray(PROBERS)]).toEqual(Array.from({ length: PROBED }, () => 1));
}, 30_000);

function start(init: HammerInit) {
  return startHammer(new URL("./hammer-thread.ts", import.meta.url), init);
}
