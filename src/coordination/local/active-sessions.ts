import type { SessionLimit } from "#domain/account-limits.ts";
import type { KeyHash } from "./key-hash.ts";
import { ACTIVE_CELLS, ACTIVE_MAX, ACTIVE_SEEN, HEADER, type MemoryLayout, VITAL } from "./memory-layout.ts";

const NONE = -1;

/**
 * The active conversations of one account, in a block of shared memory that the account gets with the first of
 * them and keeps. With no block left, the account's conversations are not counted and all are admitted.
 *
 * Reading needs no lock and may miss what changes at that moment; only `admit` needs the lock of the account's
 * row.
 */
export class ActiveSessions {
  readonly #layout: MemoryLayout;
  readonly #at: number;

  constructor(layout: MemoryLayout, row: number) {
    this.#layout = layout;
    this.#at = layout.vitalsAt(row);
  }

  /** Counts a conversation as active unless as many as may be are active already. */
  admit(hash: KeyHash, { sessionsMax, idleMs }: SessionLimit, nowMs: number): boolean {
    const block = this.#block() ?? this.#takeBlock();
    if (block === NONE) return true;
    const idleSinceMs = nowMs - idleMs;
    this.#trim(block, idleSinceMs);
    let place = this.#placeOf(block, hash, idleSinceMs);
    if (place === NONE) {
      if (this.#countIn(block, idleSinceMs) >= Math.min(sessionsMax, ACTIVE_MAX)) return false;
      place = this.#freePlace(block, idleSinceMs);
    }
    const { cells, numbers } = this.#layout;
    const at = block + place * ACTIVE_CELLS;
    cells[at] = hash.low;
    cells[at + 1] = hash.high;
    numbers[at / 2 + ACTIVE_SEEN] = nowMs;
    numbers[this.#at + VITAL.activeUsed] = Math.max(this.#used(), place + 1);
    return true;
  }

  /** Whether {@link admit} would say yes. */
  wouldAdmit(hash: KeyHash, { sessionsMax, idleMs }: SessionLimit, nowMs: number): boolean {
    const block = this.#block();
    if (block === undefined) return sessionsMax > 0 || this.#isPoolEmpty();
    const idleSinceMs = nowMs - idleMs;
    return (
      this.#countIn(block, idleSinceMs) < Math.min(sessionsMax, ACTIVE_MAX) ||
      this.#placeOf(block, hash, idleSinceMs) !== NONE
    );
  }

  /** Conversations seen within the last `idleMs`. */
  count(idleMs: number, nowMs: number): number {
    const block = this.#block();
    return block === undefined ? 0 : this.#countIn(block, nowMs - idleMs);
  }

  /** Cuts the idle ones off the end, so that a block that was once full is not searched in full for ever. */
  #trim(block: number, idleSinceMs: number): void {
    let used = this.#used();
    while (used > 0 && this.#seenMs(block, used - 1) <= idleSinceMs) used--;
    this.#layout.numbers[this.#at + VITAL.activeUsed] = used;
  }

  #placeOf(block: number, { low, high }: KeyHash, idleSinceMs: number): number {
    const { cells } = this.#layout;
    const used = this.#used();
    for (let place = 0; place < used; place++) {
      const at = block + place * ACTIVE_CELLS;
      const isSame = cells[at] === low && cells[at + 1] === high;
      if (isSame && this.#seenMs(block, place) > idleSinceMs) return place;
    }
    return NONE;
  }

  #countIn(block: number, idleSinceMs: number): number {
    const used = this.#used();
    let active = 0;
    for (let place = 0; place < used; place++) {
      if (this.#seenMs(block, place) > idleSinceMs) active++;
    }
    return active;
  }

  /** The place of an idle one, else the next that was never used. */
  #freePlace(block: number, idleSinceMs: number): number {
    const used = this.#used();
    for (let place = 0; place < used; place++) {
      if (this.#seenMs(block, place) <= idleSinceMs) return place;
    }
    return used;
  }

  #seenMs(block: number, place: number): number {
    return this.#layout.numbers[(block + place * ACTIVE_CELLS) / 2 + ACTIVE_SEEN] ?? 0;
  }

  #used(): number {
    return this.#layout.numbers[this.#at + VITAL.activeUsed] ?? 0;
  }

  /** The cell at which the account's block begins. */
  #block(): number | undefined {
    const link = this.#layout.numbers[this.#at + VITAL.activeBlock] ?? 0;
    return link === 0 ? undefined : this.#layout.activeBlockAt(link - 1);
  }

  #takeBlock(): number {
    if (this.#isPoolEmpty()) return NONE;
    const { activeBlocks, cells, numbers } = this.#layout;
    const block = Atomics.add(cells, HEADER.activeBlocksUsed, 1);
    if (block >= activeBlocks) return NONE;
    numbers[this.#at + VITAL.activeBlock] = block + 1;
    return this.#layout.activeBlockAt(block);
  }

  #isPoolEmpty(): boolean {
    return Atomics.load(this.#layout.cells, HEADER.activeBlocksUsed) >= this.#layout.activeBlocks;
  }
}
