import type { Hold } from "#coordination/holds.ts";
import { LocalHolds } from "#coordination/local/holds.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { systemClock } from "#kernel/clock.ts";
import {
  AVAILABLE,
  HAMMERED,
  type HoldsHammerInit,
  ownAt,
  sumAt,
  TAKES,
  VIOLATIONS,
} from "./holds-hammer.ts";
import { Shuffle } from "./shuffle.ts";

declare const self: Worker;

const OPEN_MAX = 5;
const AMOUNT_MAX = 30;
const LASTS_MS = 3_600_000;
const books = { availableNanos: AVAILABLE, revision: 1 };

self.onmessage = ({ data }: MessageEvent<HoldsHammerInit>): void => new HammerThread(data).run();

class HammerThread {
  readonly #init: HoldsHammerInit;
  readonly #holds: LocalHolds;
  readonly #shadow: Int32Array;
  readonly #shuffle: Shuffle;
  readonly #open: Hold[] = [];

  constructor(init: HoldsHammerInit) {
    const { thread, memory, shadow, seed } = init;
    this.#init = init;
    this.#holds = new LocalHolds({
      memory: new MemoryMap(memory),
      thread,
      clock: systemClock,
      onExpired: () => undefined,
    });
    this.#shadow = new Int32Array(shadow);
    this.#shuffle = new Shuffle(seed);
  }

  run(): void {
    this.#holds.recount([]);
    const { rounds } = this.#init;
    for (let round = 0; rounds === 0 || round < rounds; round++) this.#step();
    while (this.#open.length > 0) this.#settle();
    self.postMessage("done");
  }

  #step(): void {
    const kind = this.#shuffle.below(10);
    if (this.#open.length >= OPEN_MAX || kind < 4) this.#settle();
    else if (kind < 5) this.#extend();
    else this.#take();
  }

  #take(): void {
    const purse = this.#shuffle.below(HAMMERED);
    const amountNanos = 1 + this.#shuffle.below(AMOUNT_MAX);
    const answer = this.#holds.take({
      purse: { kind: "user", id: purse },
      requestId: "r",
      amountNanos,
      books,
      expiresAtMs: systemClock.now() + LASTS_MS,
    });
    if (!answer.granted) return;
    this.#open.push(answer.hold);
    Atomics.add(this.#shadow, TAKES, 1);
    this.#count(purse, amountNanos);
  }

  #extend(): void {
    const hold = this.#open[this.#shuffle.below(this.#open.length)];
    const moreNanos = this.#shuffle.below(AMOUNT_MAX);
    const hasGrown = hold?.extend({ moreNanos, books, overdraftNanos: 0, expiresAtMs: 0 });
    if (hold !== undefined && hasGrown === true) this.#count(hold.purse.id, moreNanos);
  }

  /** What was held and not spent is free at once, and the cost once it is booked; here money comes back then. */
  #settle(): void {
    const [hold] = this.#open.splice(this.#shuffle.below(this.#open.length), 1);
    if (hold === undefined) return;
    const { purse, amountNanos } = hold;
    const costNanos = this.#shuffle.below(amountNanos + 1);
    this.#uncount(purse.id, amountNanos - costNanos);
    void hold.settle(costNanos);
    this.#uncount(purse.id, costNanos);
    this.#holds.booked({ purse, costNanos }, books);
  }

  #count(purse: number, nanos: number): void {
    Atomics.add(this.#shadow, ownAt(this.#init.thread, purse), nanos);
    const sum = Atomics.add(this.#shadow, sumAt(purse), nanos) + nanos;
    if (sum > AVAILABLE) Atomics.add(this.#shadow, VIOLATIONS, 1);
  }

  #uncount(purse: number, nanos: number): void {
    Atomics.sub(this.#shadow, sumAt(purse), nanos);
    Atomics.sub(this.#shadow, ownAt(this.#init.thread, purse), nanos);
  }
}
