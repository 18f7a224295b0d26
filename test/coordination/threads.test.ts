import { expect, test } from "bun:test";
import { ENTRY_WAITING, MemoryMap } from "#coordination/local/memory-map.ts";
import { reapThread } from "#coordination/local/reap.ts";
import { LocalSlots } from "#coordination/local/slots.ts";
import { WaitingLine } from "#coordination/local/waiting-line.ts";
import { systemClock } from "#kernel/clock.ts";
import { type ModelInit, shadowCell, sumCell, VIOLATIONS } from "./model.ts";
import { Shuffle } from "./shuffle.ts";

const THREADS = 4;
const HOLDERS = 12;
const OPERATIONS = 1_000_000;
const KILLS = 12;

/**
 * Random schedules over four threads, some of which are killed at any instruction: never more granted than
 * the limit allows, and nothing is left over.
 */
test("no schedule over four threads, killed ones included, grants beyond a limit or leaks a slot", async () => {
  const seed = Number(process.env["SLOTS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const shuffle = new Shuffle(seed);
  const memory = MemoryMap.create({ threads: THREADS + 1, rows: 64, entriesPerThread: 1_024 });
  const shadow = new SharedArrayBuffer((1 + (1 + THREADS) * HOLDERS) * 4);
  const counts = new Int32Array(shadow);
  const killed: Worker[] = [];
  const finished = Promise.withResolvers<void>();
  let running = THREADS;
  const workers: (Worker | undefined)[] = [];
  let kills = 0;

  const spawn = (thread: number, operations: number): void => {
    const worker = new Worker(new URL("./model-thread.ts", import.meta.url));
    workers[thread] = worker;
    worker.addEventListener("message", () => {
      workers[thread] = undefined;
      running--;
      if (running === 0) finished.resolve();
    });
    worker.addEventListener("error", ({ message }) => finished.reject(new Error(`seed ${seed}: ${message}`)));
    worker.addEventListener("close", async () => {
      if (!killed.includes(worker)) return;
      for (let id = 0; id < HOLDERS; id++) {
        const held = Atomics.exchange(counts, shadowCell({ thread, holders: HOLDERS }, id), 0);
        Atomics.sub(counts, sumCell(id), held);
      }
      await reapThread(memory, thread, THREADS);
      spawn(thread, operations);
    });
    const init: ModelInit = {
      memory: memory.buffer,
      shadow,
      thread,
      threads: THREADS,
      holders: HOLDERS,
      seed: shuffle.below(2 ** 31),
      operations,
    };
    worker.postMessage(init);
  };
  for (let thread = 0; thread < THREADS; thread++) spawn(thread, OPERATIONS / THREADS);

  const killer = setInterval(() => {
    const worker = workers[shuffle.below(THREADS)];
    if (worker === undefined || kills >= KILLS) return;
    kills++;
    killed.push(worker);
    worker.terminate();
  }, 150);
  await finished.promise.finally(() => clearInterval(killer));

  const slots = new LocalSlots(memory, THREADS, systemClock);
  const left = Array.from({ length: HOLDERS }, (_, id) => slots.status({ kind: "account", id }));
  expect({ seed, violations: counts[VIOLATIONS] }).toEqual({ seed, violations: 0 });
  expect(left.map(({ inFlight, waiting }) => inFlight + waiting)).toEqual(left.map(() => 0));
  expect(kills).toBeGreaterThan(0);
}, 120_000);

/** One schedule in one thread against a plain list: who is let in must be exactly who has waited longest. */
test("grants follow the order of arrival among those that stay, limits changing all the while", () => {
  const seed = Number(process.env["SLOTS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const model = new LineModel();
  const shuffle = new Shuffle(seed);
  for (let step = 0; step < 100_000; step++) {
    const granted = model.step(shuffle);
    expect({ seed, step, granted }).toEqual({ seed, step, granted: model.takeFirst(granted.length) });
    expect(model.isFull || model.waiting.length === 0).toBe(true);
  }
});

/** A row beside the plain list that it must behave like. */
class LineModel {
  readonly #memory = MemoryMap.create({ threads: 1, rows: 4, entriesPerThread: 512 });
  readonly #line = new WaitingLine(this.#memory);
  readonly #row = this.#memory.rowOf(1, 1, 0) as number;
  readonly #free = Array.from({ length: 512 }, (_, entry) => entry);
  readonly #held: number[] = [];
  #limit = 0;
  waiting: number[] = [];

  get isFull(): boolean {
    return this.#held.length >= this.#limit;
  }

  /** Does something at random; returns the entries that were let in from the line. */
  step(shuffle: Shuffle): readonly number[] {
    const granted: number[] = [];
    const kind = shuffle.below(10);
    if (kind < 5) this.#arrive();
    else if (kind < 8) this.#remove(this.#held, shuffle, granted);
    else if (kind < 9) this.#remove(this.waiting, shuffle, granted);
    else {
      this.#limit = 1 + shuffle.below(6);
      this.#memory.writeRow(this.#row, "limit", this.#limit);
      this.#line.grantNext(this.#row, granted);
    }
    return granted;
  }

  takeFirst(count: number): readonly number[] {
    const first = this.waiting.splice(0, count);
    this.#held.push(...first);
    return first;
  }

  #arrive(): void {
    const entry = this.#free.pop();
    if (entry === undefined) return;
    if (this.isFull) {
      this.#line.append(this.#row, entry, 0);
      this.waiting.push(entry);
    } else {
      this.#line.hold(this.#row, entry);
      this.#held.push(entry);
    }
  }

  #remove(from: number[], shuffle: Shuffle, granted: number[]): void {
    const [entry] = from.splice(shuffle.below(from.length), 1);
    if (entry === undefined) return;
    this.#free.push(entry);
    this.#line.remove(this.#row, entry, granted);
  }
}

test("a row whose thread died with its lock in hand is recomputed from its entries", async () => {
  const memory = MemoryMap.create({ threads: 3, rows: 4, entriesPerThread: 8 });
  const line = new WaitingLine(memory);
  const row = memory.rowOf(1, 1, 0) as number;
  memory.writeRow(row, "limit", 1);
  line.hold(row, 0);
  for (const entry of [8, 1, 9]) line.append(row, entry, 0);
  // Thread 1 dies between taking its waiter out of the table and out of the line.
  expect(memory.seize(row, -1, 1)).toBe(true);
  memory.writeEntry(8, "state", 0);
  memory.writeRow(row, "waiting", 99);
  await reapThread(memory, 1, 2);
  expect(memory.readRow(row, "waiting")).toBe(1);
  const granted: number[] = [];
  line.remove(row, 0, granted);
  expect(granted).toEqual([1]);
  expect(memory.readEntry(9, "state")).not.toBe(ENTRY_WAITING);
});
