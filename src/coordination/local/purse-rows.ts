import type { PurseBooks } from "#coordination/holds.ts";
import { HOLD, type MemoryLayout, PURSE } from "./memory-layout.ts";

/** In a purse's `expiresMs`: none of its holds expires. */
const NEVER = 0;

/**
 * The rules of purses and of the holds on them, in shared memory.
 *
 * Every function here must be called under the lock of the purse's row. A hold that is there is the truth; what a
 * purse has held is recomputed from them when a thread died halfway. Each thread's share of what is not booked is
 * one number, which is written whole or not at all.
 */
export class PurseRows {
  readonly #layout: MemoryLayout;
  readonly #numbers: Float64Array;

  constructor(layout: MemoryLayout) {
    this.#layout = layout;
    this.#numbers = layout.numbers;
  }

  /** Takes over the books if none newer are known. Of the same revision the later word counts: windows end. */
  show(row: number, { availableNanos, revision }: PurseBooks): void {
    const purse = this.#layout.purseAt(row);
    if (revision < this.#read(purse + PURSE.revision)) return;
    this.#numbers[purse + PURSE.available] = availableNanos;
    this.#numbers[purse + PURSE.revision] = revision;
  }

  /** What could still be held, in nano-dollars; negative when overdrawn. */
  freeNanos(row: number): number {
    return (
      this.#read(this.#layout.purseAt(row) + PURSE.available) - this.unbookedNanos(row) - this.heldNanos(row)
    );
  }

  heldNanos(row: number): number {
    return this.#read(this.#layout.purseAt(row) + PURSE.held);
  }

  /** What all threads together answer for. */
  unbookedNanos(row: number): number {
    const first = this.#layout.purseAt(row) + PURSE.unbooked;
    let sum = 0;
    for (let thread = 0; thread < this.#layout.threads; thread++) sum += this.#read(first + thread);
    return sum;
  }

  /** What one thread answers for. Needs no lock in that thread. */
  shareOf(row: number, thread: number): number {
    return this.#read(this.#layout.purseAt(row) + PURSE.unbooked + thread);
  }

  setShareOf(row: number, thread: number, nanos: number): void {
    this.#numbers[this.#layout.purseAt(row) + PURSE.unbooked + thread] = nanos;
  }

  /** Puts a hold in a free place. */
  add(row: number, hold: number, amountNanos: number, expiresMs: number): void {
    const numbers = this.#numbers;
    const at = this.#layout.holdAt(hold);
    numbers[at + HOLD.amount] = amountNanos;
    numbers[at + HOLD.expiresMs] = expiresMs;
    numbers[at + HOLD.row] = row + 1;
    const purse = this.#layout.purseAt(row);
    numbers[purse + PURSE.held] = this.#read(purse + PURSE.held) + amountNanos;
    const soonestMs = this.#read(purse + PURSE.expiresMs);
    if (soonestMs === NEVER || expiresMs < soonestMs) numbers[purse + PURSE.expiresMs] = expiresMs;
  }

  /** Whether a hold is still there. */
  has(row: number, hold: number): boolean {
    return this.rowOf(hold) === row;
  }

  /** The purse of a hold; -1 for a free place. Needs no lock in the thread whose place it is. */
  rowOf(hold: number): number {
    return this.#read(this.#layout.holdAt(hold) + HOLD.row) - 1;
  }

  /** Makes a hold larger and puts off its end; one that ends later anyway keeps its end. */
  grow(row: number, hold: number, moreNanos: number, expiresMs: number): void {
    const numbers = this.#numbers;
    const at = this.#layout.holdAt(hold);
    const purse = this.#layout.purseAt(row);
    numbers[at + HOLD.expiresMs] = Math.max(this.#read(at + HOLD.expiresMs), expiresMs);
    numbers[at + HOLD.amount] = this.#read(at + HOLD.amount) + moreNanos;
    numbers[purse + PURSE.held] = this.#read(purse + PURSE.held) + moreNanos;
  }

  /** Takes a hold away; its place is free again for the thread whose place it is. */
  remove(row: number, hold: number): void {
    const at = this.#layout.holdAt(hold);
    const held = this.#layout.purseAt(row) + PURSE.held;
    this.#numbers[at + HOLD.row] = 0;
    this.#numbers[held] = this.#read(held) - this.#read(at + HOLD.amount);
  }

  /** Takes away the purse's holds that have expired, whichever thread's they are. Looks only when there may be one. */
  expire(row: number, nowMs: number): void {
    const soonestMs = this.#read(this.#layout.purseAt(row) + PURSE.expiresMs);
    if (soonestMs === NEVER || nowMs < soonestMs) return;
    let nextMs = NEVER;
    this.#forEach(row, (hold) => {
      const expiresMs = this.#read(this.#layout.holdAt(hold) + HOLD.expiresMs);
      if (expiresMs <= nowMs) this.remove(row, hold);
      else nextMs = nextMs === NEVER ? expiresMs : Math.min(nextMs, expiresMs);
    });
    this.#numbers[this.#layout.purseAt(row) + PURSE.expiresMs] = nextMs;
  }

  /** Recomputes the purse from its holds, after a thread died while it had the row's lock. */
  repair(row: number): void {
    const numbers = this.#numbers;
    let held = 0;
    let soonestMs = Number.POSITIVE_INFINITY;
    this.#forEach(row, (hold) => {
      const at = this.#layout.holdAt(hold);
      held += this.#read(at + HOLD.amount);
      soonestMs = Math.min(soonestMs, this.#read(at + HOLD.expiresMs));
    });
    const purse = this.#layout.purseAt(row);
    numbers[purse + PURSE.held] = held;
    numbers[purse + PURSE.expiresMs] = Number.isFinite(soonestMs) ? soonestMs : NEVER;
  }

  /** The places of a thread that were ever used, as the first and the one behind the last. */
  placesOf(thread: number): readonly [first: number, end: number] {
    const first = thread * this.#layout.holdsPerThread;
    return [first, first + Atomics.load(this.#layout.cells, this.#layout.holdsUsedAt(thread))];
  }

  /** Says that a place of a thread is used, before it is. Needs no lock: only the thread itself says so. */
  notePlace(thread: number, hold: number): void {
    const used = hold - thread * this.#layout.holdsPerThread + 1;
    const cell = this.#layout.holdsUsedAt(thread);
    if (used > Atomics.load(this.#layout.cells, cell)) Atomics.store(this.#layout.cells, cell, used);
  }

  #forEach(row: number, visit: (hold: number) => void): void {
    for (let thread = 0; thread < this.#layout.threads; thread++) {
      const [first, end] = this.placesOf(thread);
      for (let hold = first; hold < end; hold++) {
        if (this.rowOf(hold) === row) visit(hold);
      }
    }
  }

  #read(at: number): number {
    return this.#numbers[at] ?? 0;
  }
}
