/** A thread of the model test: takes, waits for, leaves and gives back slots at random, and checks each grant. */
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { LocalSlots } from "#coordination/local/slots.ts";
import { systemClock } from "#kernel/clock.ts";
import type { Lease } from "#kernel/lease.ts";
import { fixedLimit, type ModelInit, shadowCell, sumCell, VIOLATIONS } from "./model.ts";
import { Shuffle } from "./shuffle.ts";

declare const self: Worker;

/** How many requests of one thread are under way at most, and after how many steps it lets others run. */
const OPEN_MAX = 100;
const STEPS_PER_TURN = 50;

self.onmessage = ({ data }: MessageEvent<ModelInit>): void => void new ModelThread(data).run();

class ModelThread {
  readonly #init: ModelInit;
  readonly #memory: MemoryMap;
  readonly #slots: LocalSlots;
  readonly #shadow: Int32Array;
  readonly #shuffle: Shuffle;
  readonly #leases: { readonly holder: number; readonly lease: Lease }[] = [];
  #open = 0;

  constructor(init: ModelInit) {
    this.#init = init;
    this.#memory = new MemoryMap(init.memory);
    this.#slots = new LocalSlots(this.#memory, init.thread, systemClock);
    this.#shadow = new Int32Array(init.shadow);
    this.#shuffle = new Shuffle(init.seed);
  }

  async run(): Promise<void> {
    for (let done = 0; done < this.#init.operations; done++) {
      this.#step();
      if (done % STEPS_PER_TURN === 0) await Bun.sleep(0);
      while (this.#open + this.#leases.length > OPEN_MAX) {
        this.#releaseOne();
        await Bun.sleep(0);
      }
    }
    while (this.#open + this.#leases.length > 0) {
      this.#releaseOne();
      await Bun.sleep(0);
    }
    self.postMessage(this.#slots.entriesInUse);
  }

  #step(): void {
    const kind = this.#shuffle.below(100);
    const id = this.#shuffle.below(this.#init.holders);
    if (kind < 40) this.#releaseOne();
    else if (kind < 42) this.#changeLimit(id);
    else if (kind < 55) this.#try(id);
    else this.#ask(id);
  }

  #changeLimit(id: number): void {
    if (fixedLimit(id) === undefined) this.#slots.setLimit(holderOf(id), 1 + this.#shuffle.below(4));
  }

  #try(id: number): void {
    const lease = this.#slots.tryAcquire(holderOf(id), this.#limitOf(id));
    if (lease !== undefined) this.#granted(id, lease);
  }

  #ask(id: number): void {
    const leaving = new AbortController();
    this.#open++;
    const answer = this.#slots.acquire({
      holder: holderOf(id),
      limit: this.#limitOf(id),
      waitersMax: 30,
      waitMsMax: 1 + this.#shuffle.below(10),
      signal: leaving.signal,
    });
    if (this.#shuffle.below(3) === 0) queueMicrotask(() => leaving.abort());
    void Promise.resolve(answer).then((settled) => {
      this.#open--;
      if (settled.granted) this.#granted(id, settled.lease);
    });
  }

  #granted(id: number, lease: Lease): void {
    Atomics.add(this.#shadow, shadowCell(this.#init, id), 1);
    const inUse = Atomics.add(this.#shadow, sumCell(id), 1) + 1;
    const limit = fixedLimit(id);
    if (limit !== undefined && inUse > limit) Atomics.add(this.#shadow, VIOLATIONS, 1);
    this.#leases.push({ holder: id, lease });
  }

  #releaseOne(): void {
    const { length } = this.#leases;
    if (length === 0) return;
    const [taken] = this.#leases.splice(this.#shuffle.below(length), 1);
    if (taken === undefined) return;
    Atomics.sub(this.#shadow, sumCell(taken.holder), 1);
    Atomics.sub(this.#shadow, shadowCell(this.#init, taken.holder), 1);
    taken.lease.release();
  }

  #limitOf(id: number): number {
    return fixedLimit(id) ?? (this.#slots.status(holderOf(id)).limit || 2);
  }
}

function holderOf(id: number): { readonly kind: "account"; readonly id: number } {
  return { kind: "account", id };
}
