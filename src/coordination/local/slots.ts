import type { Holder, Refusal, SlotAnswer, SlotRequest, SlotStatus, Slots } from "#coordination/slots.ts";
import type { Clock } from "#kernel/clock.ts";
import { type Lease, OnceLease } from "#kernel/lease.ts";
import { NOT_ROSTERED, Roster, type Rostered } from "#kernel/roster.ts";
import { ENTRY_FREE, ENTRY_HELD, HOLDER_KIND, type MemoryMap } from "./memory-map.ts";
import { WaitingLine } from "./waiting-line.ts";

/** More than there are kinds of holders, so that kind and id make one number. */
const KINDS = 4;

interface Waiter extends Rostered {
  readonly entry: number;
  readonly row: number;
  readonly sinceMs: number;
  readonly settle: (answer: SlotAnswer) => void;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly stopListening: () => void;
}

/**
 * Slots in shared memory: every thread of this process sees one truth.
 *
 * One instance per thread. Arrival order is the order in which threads take a row's lock; a release grants
 * the head of the line under the same lock and wakes the thread it waits in. Nothing polls.
 */
export class LocalSlots implements Slots {
  readonly #memory: MemoryMap;
  readonly #line: WaitingLine;
  readonly #thread: number;
  readonly #clock: Clock;
  readonly #rows = new Map<number, number>();
  readonly #free: number[] = [];
  readonly #firstEntry: number;
  readonly #waiters = new Roster<Waiter>();
  /** The same, by how many entries they stand behind the thread's first. */
  readonly #waiterAt: (Waiter | undefined)[] = [];
  /** Entries that were granted under a lock and are told of after it. */
  #granted: number[] = [];
  #isOpen = true;

  constructor(memory: MemoryMap, thread: number, clock: Clock) {
    this.#memory = memory;
    this.#line = new WaitingLine(memory);
    this.#thread = thread;
    this.#clock = clock;
    const first = thread * memory.entriesPerThread;
    this.#firstEntry = first;
    for (let entry = first + memory.entriesPerThread - 1; entry >= first; entry--) {
      if (memory.readEntry(entry, "state") === ENTRY_FREE) this.#free.push(entry);
    }
    void this.#listen();
  }

  acquire(request: SlotRequest): SlotAnswer | Promise<SlotAnswer> {
    const row = this.#rowOf(request.holder);
    const entry = this.#free.pop();
    if (row === undefined || entry === undefined) {
      if (entry !== undefined) this.#free.push(entry);
      return { granted: false, refusal: "capacity", waiting: 0 };
    }
    const verdict = request.signal.aborted ? "gone" : this.#join(row, entry, request);
    if (verdict === "held") return { granted: true, lease: new SlotLease(this, row, entry), waitedMs: 0 };
    if (verdict === "waiting") return this.#wait(row, entry, request);
    this.#free.push(entry);
    return { granted: false, refusal: verdict, waiting: this.#memory.readRow(row, "waiting") };
  }

  tryAcquire(holder: Holder, limit: number): Lease | undefined {
    const row = this.#rowOf(holder);
    const entry = this.#free.pop();
    if (entry === undefined) return undefined;
    const isHeld = row !== undefined && this.#hold(row, entry, limit);
    if (row !== undefined && isHeld) return new SlotLease(this, row, entry);
    this.#free.push(entry);
    return undefined;
  }

  /** Counts a lease that was granted elsewhere, whatever the limit; undefined when there is no room to note it. */
  note(holder: Holder): Lease | undefined {
    const row = this.#rowOf(holder);
    const entry = row === undefined ? undefined : this.#free.pop();
    if (row === undefined || entry === undefined) return undefined;
    this.#memory.locked(row, this.#thread, () => this.#line.hold(row, entry));
    return new SlotLease(this, row, entry);
  }

  setLimit(holder: Holder, limit: number): void {
    const row = this.#rowOf(holder);
    if (row === undefined) return;
    this.#memory.locked(row, this.#thread, () => this.#applyLimit(row, limit));
    this.#deliverGranted();
  }

  status(holder: Holder): SlotStatus {
    const row = this.#rowOf(holder);
    if (row === undefined) return { inFlight: 0, waiting: 0, limit: 0, oldestWaitMs: 0 };
    const memory = this.#memory;
    return memory.locked(row, this.#thread, () => {
      const head = memory.readRow(row, "head");
      const since = head === 0 ? this.#nowMs() : memory.readEntry(head - 1, "since");
      return {
        inFlight: memory.readRow(row, "held"),
        waiting: memory.readRow(row, "waiting"),
        limit: memory.readRow(row, "limit"),
        oldestWaitMs: Math.max(0, (this.#nowMs() - since) | 0),
      };
    });
  }

  /** Leases and waiters this thread has now. */
  get entriesInUse(): number {
    return this.#memory.entriesPerThread - this.#free.length;
  }

  /** Stops listening. Leases that are still out can be released afterwards. */
  close(): void {
    this.#isOpen = false;
    this.#memory.wake(this.#thread);
  }

  #join(row: number, entry: number, { limit, waitersMax }: SlotRequest): "held" | "waiting" | "queue-full" {
    const memory = this.#memory;
    memory.lock(row, this.#thread);
    try {
      this.#applyLimit(row, limit);
      if (memory.readRow(row, "held") < this.#line.capOf(row)) {
        this.#line.hold(row, entry);
        return "held";
      }
      if (memory.readRow(row, "waiting") >= waitersMax) return "queue-full";
      this.#line.append(row, entry, this.#nowMs());
      return "waiting";
    } finally {
      memory.unlock(row);
      this.#deliverGranted();
    }
  }

  #hold(row: number, entry: number, limit: number): boolean {
    this.#memory.lock(row, this.#thread);
    try {
      this.#applyLimit(row, limit);
      if (this.#memory.readRow(row, "held") >= this.#line.capOf(row)) return false;
      this.#line.hold(row, entry);
      return true;
    } finally {
      this.#memory.unlock(row);
      this.#deliverGranted();
    }
  }

  #applyLimit(row: number, limit: number): void {
    if (this.#memory.readRow(row, "limit") === limit) return;
    this.#memory.writeRow(row, "limit", limit);
    this.#line.grantNext(row, this.#granted);
  }

  #wait(row: number, entry: number, request: SlotRequest): Promise<SlotAnswer> {
    const { promise, resolve } = Promise.withResolvers<SlotAnswer>();
    const leave = (refusal: Refusal): void => this.#leave(entry, refusal);
    const onAbort = (): void => leave("gone");
    request.signal.addEventListener("abort", onAbort);
    const waiter: Waiter = {
      rosterPlace: NOT_ROSTERED,
      entry,
      row,
      sinceMs: this.#clock.monotonic(),
      settle: resolve,
      timer: setTimeout(leave, request.waitMsMax, "timeout" satisfies Refusal),
      stopListening: () => request.signal.removeEventListener("abort", onAbort),
    };
    this.#waiters.add(waiter);
    this.#waiterAt[entry - this.#firstEntry] = waiter;
    request.onWait?.();
    this.#deliver([entry]);
    return promise;
  }

  /** Takes a waiter out of the line; one that was granted meanwhile gives its slot to the next. */
  #leave(entry: number, refusal: Refusal): void {
    const waiter = this.#forget(entry);
    if (waiter === undefined) return;
    this.#remove(waiter.row, entry);
    const waiting = this.#memory.readRow(waiter.row, "waiting");
    waiter.settle({ granted: false, refusal, waiting });
  }

  #forget(entry: number): Waiter | undefined {
    const waiter = this.#waiterAt[entry - this.#firstEntry];
    if (waiter === undefined) return undefined;
    this.#waiterAt[entry - this.#firstEntry] = undefined;
    this.#waiters.remove(waiter);
    clearTimeout(waiter.timer);
    waiter.stopListening();
    return waiter;
  }

  #remove(row: number, entry: number): void {
    this.#memory.lock(row, this.#thread);
    try {
      this.#line.remove(row, entry, this.#granted);
    } finally {
      this.#memory.unlock(row);
    }
    this.#free.push(entry);
    this.#deliverGranted();
  }

  #deliverGranted(): void {
    if (this.#granted.length === 0) return;
    const granted = this.#granted;
    this.#granted = [];
    this.#deliver(granted);
  }

  /** Tells the waiters behind granted entries, here or in the thread they wait in. */
  #deliver(entries: Iterable<number>): void {
    for (const entry of entries) {
      const thread = this.#memory.threadOf(entry);
      if (thread === this.#thread) this.#settleIfHeld(entry);
      else this.#memory.wake(thread);
    }
  }

  #settleIfHeld(entry: number): void {
    if (this.#memory.readEntry(entry, "state") !== ENTRY_HELD) return;
    const waiter = this.#forget(entry);
    if (waiter === undefined) return;
    const waitedMs = this.#clock.monotonic() - waiter.sinceMs;
    waiter.settle({ granted: true, lease: new SlotLease(this, waiter.row, entry), waitedMs });
  }

  /** One long-lived listener a thread: many pending `waitAsync` calls are slow to tear down in Bun. */
  async #listen(): Promise<void> {
    while (this.#isOpen) {
      const seen = this.#memory.readWake(this.#thread);
      this.#deliver(this.#waiters.members().map(({ entry }) => entry));
      await this.#memory.nextWake(this.#thread, seen);
    }
  }

  /** Called by the lease, once. */
  giveBack(row: number, entry: number): void {
    this.#remove(row, entry);
  }

  #rowOf({ kind, id }: Holder): number | undefined {
    const key = id * KINDS + HOLDER_KIND[kind];
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    const row = this.#memory.rowOf(HOLDER_KIND[kind], id, this.#thread);
    if (row !== undefined) this.#rows.set(key, row);
    return row;
  }

  /** Wall-clock milliseconds cut to 32 bits; differences stay right for 24 days. */
  #nowMs(): number {
    return this.#clock.now() | 0;
  }
}

class SlotLease extends OnceLease {
  readonly #slots: LocalSlots;
  readonly #row: number;
  readonly #entry: number;

  constructor(slots: LocalSlots, row: number, entry: number) {
    super();
    this.#slots = slots;
    this.#row = row;
    this.#entry = entry;
  }

  protected override giveBack(): void {
    this.#slots.giveBack(this.#row, this.#entry);
  }
}
