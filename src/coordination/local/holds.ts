import type {
  Hold,
  HoldAnswer,
  HoldGrowth,
  HoldRequest,
  Holds,
  HoldsAnswer,
  HoldTerms,
  NodeHold,
  Purse,
  PurseBooks,
  PurseCost,
  PurseStatus,
} from "#coordination/holds.ts";
import { assert } from "#kernel/assert.ts";
import type { Clock } from "#kernel/clock.ts";
import { NOT_ROSTERED, Roster, type Rostered } from "#kernel/roster.ts";
import { type MemoryMap, PURSE_KIND } from "./memory-map.ts";
import { PurseRows } from "./purse-rows.ts";

/** Above every kind, so that kind and id make one number. */
const KINDS = 8;
/** How often a thread looks for holds of its own that have expired, in milliseconds. */
const SWEEP_MS = 1_000;

/** Nobody else has anything of the purse. */
const ALONE: HoldTerms = { othersNanos: 0, sharers: 1 };

type LocalHoldAnswer =
  | Exclude<HoldAnswer, { granted: true }>
  | { readonly granted: true; readonly hold: NodeHold };

/** Told of a hold that was not settled in time, once for each. */
export type OnHoldExpired = (hold: Pick<Hold, "requestId" | "purse" | "amountNanos">) => void;

/** What a thread's view of the holds works with. */
export interface LocalHoldsParts {
  readonly memory: MemoryMap;
  readonly thread: number;
  readonly clock: Pick<Clock, "now">;
  readonly onExpired: OnHoldExpired;
}

/**
 * Holds in shared memory: every thread of this process sees one truth.
 *
 * One instance per thread. A hold is an entry in its thread's table, so what a dead thread held can be given back;
 * whether a purse can afford it is decided and noted under the lock of the purse's row. A hold that has expired
 * counts no more as soon as the purse is asked for more than it has left.
 */
export class LocalHolds implements Holds {
  readonly #memory: MemoryMap;
  readonly #purses: PurseRows;
  readonly #thread: number;
  readonly #clock: Pick<Clock, "now">;
  readonly #onExpired: OnHoldExpired;
  readonly #rows = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #open = new Roster<LocalHold>();
  #sweepAtMs = 0;

  constructor({ memory, thread, clock, onExpired }: LocalHoldsParts) {
    this.#memory = memory;
    this.#purses = new PurseRows(memory.layout);
    this.#thread = thread;
    this.#clock = clock;
    this.#onExpired = onExpired;
    const first = thread * memory.layout.holdsPerThread;
    const [, used] = this.#purses.placesOf(thread);
    for (let place = first + memory.layout.holdsPerThread - 1; place >= first; place--) {
      if (place >= used || this.#purses.rowOf(place) < 0) this.#free.push(place);
    }
  }

  /** `terms` say what other nodes have of the purse; without them there are none. */
  take(request: HoldRequest, terms: HoldTerms = ALONE): LocalHoldAnswer {
    checkAmount(request.amountNanos);
    const nowMs = this.#clock.now();
    this.#sweep(nowMs);
    const row = this.#rowOf(request.purse);
    const place = this.#free.pop();
    if (row === undefined || place === undefined) {
      if (place !== undefined) this.#free.push(place);
      return { granted: false, refusal: "capacity", freeNanos: 0, heldNanos: 0 };
    }
    const hold = new LocalHold(this, request, row, place);
    const missing = this.#note(hold, request.books, nowMs, terms);
    if (missing !== undefined) {
      this.#free.push(place);
      return { granted: false, refusal: "unaffordable", ...missing };
    }
    this.#open.add(hold);
    return { granted: true, hold };
  }

  /** Notes a hold if its purse can afford it; else what that has. */
  #note(
    { row, place, amountNanos, expiresAtMs }: LocalHold,
    books: PurseBooks,
    nowMs: number,
    terms: HoldTerms,
  ): { readonly freeNanos: number; readonly heldNanos: number } | undefined {
    const purses = this.#purses;
    this.#memory.lock(row, this.#thread);
    try {
      if (amountNanos > 0) {
        purses.show(row, books);
        const freeNanos = this.#freeFor(row, amountNanos, nowMs, terms);
        if (amountNanos > freeNanos) return { freeNanos, heldNanos: purses.heldNanos(row) };
      }
      purses.notePlace(this.#thread, place);
      purses.add(row, place, amountNanos, expiresAtMs);
      return undefined;
    } finally {
      this.#memory.unlock(row);
    }
  }

  takeAll(requests: readonly HoldRequest[]): HoldsAnswer {
    const holds: NodeHold[] = [];
    try {
      for (const request of requests) {
        const answer = this.take(request);
        if (!answer.granted) return { ...answer, index: holds.length };
        holds.push(answer.hold);
      }
      return { granted: true, holds };
    } finally {
      if (holds.length < requests.length) for (const hold of holds) hold.settle(0);
    }
  }

  booked({ purse, costNanos }: PurseCost, books: PurseBooks): void {
    const row = this.#rowOf(purse);
    if (row === undefined) return;
    const purses = this.#purses;
    this.#memory.locked(row, this.#thread, () => {
      purses.show(row, books);
      const left = purses.shareOf(row, this.#thread) - costNanos;
      purses.setShareOf(row, this.#thread, Math.max(0, left));
    });
  }

  recount(costs: Iterable<PurseCost>): void {
    const shares = new Map<number, number>();
    for (const { purse, costNanos } of costs) {
      const row = this.#rowOf(purse);
      if (row !== undefined) shares.set(row, (shares.get(row) ?? 0) + costNanos);
    }
    for (let row = 0; row < this.#memory.rowsUsed; row++) {
      const share = shares.get(row) ?? 0;
      if (!this.#memory.isPurse(row) || this.#purses.shareOf(row, this.#thread) === share) continue;
      this.#memory.locked(row, this.#thread, () => this.#purses.setShareOf(row, this.#thread, share));
    }
  }

  status(purse: Purse): PurseStatus {
    const row = this.#rowOf(purse);
    if (row === undefined) return { heldNanos: 0, unbookedNanos: 0 };
    return this.#memory.locked(row, this.#thread, () => ({
      heldNanos: this.#purses.heldNanos(row),
      unbookedNanos: this.#purses.unbookedNanos(row),
    }));
  }

  /** What this thread answers for, of a purse, in nano-dollars. */
  shareOf(purse: Purse): number {
    const row = this.#rowOf(purse);
    return row === undefined ? 0 : this.#purses.shareOf(row, this.#thread);
  }

  /** All that this thread answers for. */
  costs(): readonly PurseCost[] {
    const costs: PurseCost[] = [];
    for (let row = 0; row < this.#memory.rowsUsed; row++) {
      const costNanos = this.#memory.isPurse(row) ? this.#purses.shareOf(row, this.#thread) : 0;
      if (costNanos > 0) costs.push({ purse: this.#memory.purseAt(row), costNanos });
    }
    return costs;
  }

  /** Makes one of this thread's holds larger; called by the hold. */
  extend(hold: LocalHold, growth: HoldGrowth, terms: HoldTerms): boolean {
    const { moreNanos, books, overdraftNanos, expiresAtMs } = growth;
    checkAmount(moreNanos);
    const { row, place } = hold;
    const purses = this.#purses;
    const nowMs = this.#clock.now();
    return this.#memory.locked(row, this.#thread, () => {
      purses.show(row, books);
      if (!purses.has(row, place) || hold.expiresAtMs <= nowMs) return false;
      const isAsking = moreNanos > 0;
      if (isAsking && moreNanos > this.#freeFor(row, moreNanos, nowMs, terms) + overdraftNanos) return false;
      purses.grow(row, place, moreNanos, expiresAtMs);
      return true;
    });
  }

  /** Ends one of this thread's holds; called by the hold, once. */
  settle(hold: LocalHold, costNanos: number): void {
    checkAmount(costNanos);
    const { row, place } = hold;
    const purses = this.#purses;
    let isThere = false;
    this.#memory.lock(row, this.#thread);
    try {
      if (costNanos > 0) purses.setShareOf(row, this.#thread, purses.shareOf(row, this.#thread) + costNanos);
      // A place is given to another hold only after this one was let go.
      isThere = !hold.isLetGo && purses.has(row, place);
      if (isThere) purses.remove(row, place);
    } finally {
      this.#memory.unlock(row);
    }
    this.#letGo(hold, !isThere);
  }

  /** What is free, once a purse that has too little left has lost the holds on it that have expired. */
  #freeFor(row: number, amountNanos: number, nowMs: number, { othersNanos, sharers }: HoldTerms): number {
    const freeNanos = Math.floor((this.#purses.freeNanos(row) - othersNanos) / sharers);
    if (amountNanos <= freeNanos) return freeNanos;
    this.#purses.expire(row, nowMs);
    return Math.floor((this.#purses.freeNanos(row) - othersNanos) / sharers);
  }

  /** Ends this thread's holds that have expired, so that their places can be used again. */
  #sweep(nowMs: number): void {
    if (nowMs < this.#sweepAtMs) return;
    this.#sweepAtMs = nowMs + SWEEP_MS;
    for (const hold of this.#open.members()) {
      if (nowMs < hold.expiresAtMs) continue;
      const { row, place } = hold;
      this.#memory.locked(row, this.#thread, () => {
        if (this.#purses.has(row, place)) this.#purses.remove(row, place);
      });
      this.#letGo(hold, true);
    }
  }

  #letGo(hold: LocalHold, hasExpired: boolean): void {
    if (hold.isLetGo) return;
    hold.isLetGo = true;
    this.#open.remove(hold);
    this.#free.push(hold.place);
    if (hasExpired) this.#onExpired(hold);
  }

  #rowOf({ kind, id }: Purse): number | undefined {
    const key = id * KINDS + PURSE_KIND[kind];
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = this.#memory.rowOf(PURSE_KIND[kind], id, this.#thread);
    if (row !== undefined) this.#rows.set(key, row);
    return row;
  }
}

/** A hold of this thread. It knows its place until that may be another's. */
class LocalHold implements NodeHold, Rostered {
  rosterPlace = NOT_ROSTERED;
  readonly requestId: string;
  readonly purse: Purse;
  readonly row: number;
  readonly place: number;
  amountNanos: number;
  expiresAtMs: number;
  /** Its place is free or another hold's. */
  isLetGo = false;
  readonly #holds: LocalHolds;
  #isSettled = false;

  constructor(holds: LocalHolds, request: HoldRequest, row: number, place: number) {
    this.#holds = holds;
    this.requestId = request.requestId;
    this.purse = request.purse;
    this.amountNanos = request.amountNanos;
    this.expiresAtMs = request.expiresAtMs;
    this.row = row;
    this.place = place;
  }

  extend(growth: HoldGrowth, terms: HoldTerms = ALONE): boolean {
    if (this.isLetGo || !this.#holds.extend(this, growth, terms)) return false;
    this.amountNanos += growth.moreNanos;
    this.expiresAtMs = Math.max(this.expiresAtMs, growth.expiresAtMs);
    return true;
  }

  settle(costNanos: number): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#holds.settle(this, costNanos);
  }
}

/** Anything else would make sums that are not exact, and money of it. */
function checkAmount(nanos: number): void {
  assert(
    Number.isSafeInteger(nanos) && nanos >= 0,
    "an amount is a whole number of nano-dollars, and not negative",
  );
}
