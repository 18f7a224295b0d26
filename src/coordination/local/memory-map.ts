import type { Purse } from "#coordination/holds.ts";
import { lockCell, seizeCell, tryLockCell, unlockCell } from "./cell-lock.ts";
import {
  createMemory,
  ENTRY,
  ENTRY_CELLS,
  HEADER,
  MemoryLayout,
  type MemorySize,
  ROW,
  ROW_CELLS,
} from "./memory-layout.ts";

/** What an entry is doing. */
export const ENTRY_FREE = 0;
export const ENTRY_WAITING = 1;
export const ENTRY_HELD = 2;

/** What the kinds of holders are called in a row. */
export const HOLDER_KIND = { user: 1, account: 2, turn: 3 } as const;
/** What the kinds of purses are called in a row; all are above those of holders. */
export const PURSE_KIND = { user: 4, key: 5, subscription: 6 } as const;

const PURSE_KINDS = ["user", "key", "subscription"] as const;

/** Far enough from one kind to the next that the same id of both does not look in the same place. */
const KIND_STEP = 0x3c6ef3;

/** Fields of a holder's row that hold plain numbers. */
export type RowField = keyof typeof ROW;
/** Fields of a lease entry. Links hold entry number + 1; 0 is none. */
export type EntryField = keyof typeof ENTRY;

/** Access to the rows of holders and purses and to the lease entries. Holds no state of its own. */
export class MemoryMap {
  readonly layout: MemoryLayout;
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
  readonly entriesPerThread: number;
  readonly #cells: Int32Array;
  readonly #rows: number;
  readonly #rowsAt: number;
  readonly #wakeAt: number;
  readonly #tailsAt: number;
  readonly #bucketsAt: number;
  readonly #bucketMask: number;
  readonly #entriesAt: number;

  constructor(buffer: SharedArrayBuffer) {
    const layout = new MemoryLayout(buffer);
    this.layout = layout;
    this.buffer = buffer;
    this.threads = layout.threads;
    this.entriesPerThread = layout.entriesPerThread;
    this.#cells = layout.cells;
    this.#rows = layout.rows;
    this.#rowsAt = layout.rowsAt;
    this.#wakeAt = layout.wakeAt;
    this.#tailsAt = layout.tailsAt;
    this.#bucketsAt = layout.bucketsAt;
    this.#bucketMask = layout.bucketMask;
    this.#entriesAt = layout.entriesAt;
  }

  /** Makes a zeroed memory of the given size. */
  static create(size: MemorySize): MemoryMap {
    return new MemoryMap(createMemory(size));
  }

  get rowsUsed(): number {
    return Atomics.load(this.#cells, HEADER.rowsUsed);
  }

  /** How many nodes there were when that was last known; 1 before. */
  get nodes(): number {
    return Math.max(1, Atomics.load(this.#cells, HEADER.nodes));
  }

  set nodes(count: number) {
    Atomics.store(this.#cells, HEADER.nodes, count);
  }

  readRow(row: number, field: RowField): number {
    return Atomics.load(this.#cells, this.#rowsAt + row * ROW_CELLS + ROW[field]);
  }

  writeRow(row: number, field: RowField, value: number): void {
    Atomics.store(this.#cells, this.#rowsAt + row * ROW_CELLS + ROW[field], value);
  }

  /** Last entry of the row's line, as entry number + 1. */
  readTail(row: number): number {
    return Atomics.load(this.#cells, this.#tailsAt + row * 2);
  }

  writeTail(row: number, link: number): void {
    Atomics.store(this.#cells, this.#tailsAt + row * 2, link);
  }

  /** The next ticket of the row's line. Call it under the row's lock. */
  drawTicket(row: number): number {
    return Atomics.add(this.#cells, this.#tailsAt + row * 2 + 1, 1);
  }

  readEntry(entry: number, field: EntryField): number {
    return Atomics.load(this.#cells, this.#entriesAt + entry * ENTRY_CELLS + ENTRY[field]);
  }

  writeEntry(entry: number, field: EntryField, value: number): void {
    Atomics.store(this.#cells, this.#entriesAt + entry * ENTRY_CELLS + ENTRY[field], value);
  }

  /** The thread whose table an entry stands in. */
  threadOf(entry: number): number {
    return Math.floor(entry / this.entriesPerThread);
  }

  /** Runs `work` while holding the row's lock. `work` must be short and must not throw. */
  locked<T>(row: number, thread: number, work: () => T): T {
    this.lock(row, thread);
    try {
      return work();
    } finally {
      this.unlock(row);
    }
  }

  /** Takes the row's lock, where every request comes by and a function for {@link locked} would cost too much. */
  lock(row: number, thread: number): void {
    lockCell(this.#cells, this.#lockOf(row), thread);
  }

  /** Gives the row's lock back; to be called in a `finally`. */
  unlock(row: number): void {
    unlockCell(this.#cells, this.#lockOf(row));
  }

  /** Like {@link locked}, but gives up at once when another thread has the lock. False: `work` has not run. */
  tryLocked(row: number, thread: number, work: () => void): boolean {
    const cell = this.#lockOf(row);
    if (!tryLockCell(this.#cells, cell, thread)) return false;
    try {
      work();
    } finally {
      unlockCell(this.#cells, cell);
    }
    return true;
  }

  /** Takes over a lock that a dead thread left, so that its row can be repaired. False when it left none. */
  seize(row: number, deadThread: number, by: number): boolean {
    return seizeCell(this.#cells, this.#lockOf(row), deadThread, by);
  }

  /** Gives back the row table's lock if a dead thread left it. Creating a row is safe to repeat. */
  unlockTableOf(deadThread: number, by: number): void {
    if (seizeCell(this.#cells, HEADER.tableLock, deadThread, by)) unlockCell(this.#cells, HEADER.tableLock);
  }

  /** Whether a row is a purse's, and not a holder's. */
  isPurse(row: number): boolean {
    return this.readRow(row, "kind") >= PURSE_KIND.user;
  }

  /** The purse that a purse's row is of. */
  purseAt(row: number): Purse {
    const kind = this.readRow(row, "kind");
    const id = this.readRow(row, "idHigh") * 2 ** 32 + (this.readRow(row, "idLow") >>> 0);
    return { kind: PURSE_KINDS.find((name) => PURSE_KIND[name] === kind) ?? "user", id };
  }

  /** The row of a holder or a purse, made when there is none; undefined when the table is full. */
  rowOf(kind: number, id: number, thread: number): number | undefined {
    const known = this.#findRow(kind, id);
    if (known !== undefined) return known;
    lockCell(this.#cells, HEADER.tableLock, thread);
    try {
      return this.#findRow(kind, id) ?? this.#addRow(kind, id);
    } finally {
      unlockCell(this.#cells, HEADER.tableLock);
    }
  }

  /** Wakes a thread's listener. */
  wake(thread: number): void {
    const cell = this.#wakeAt + thread;
    Atomics.add(this.#cells, cell, 1);
    Atomics.notify(this.#cells, cell);
  }

  readWake(thread: number): number {
    return Atomics.load(this.#cells, this.#wakeAt + thread);
  }

  /** Settles when the thread is woken after `seen` was read. */
  async nextWake(thread: number, seen: number): Promise<void> {
    const waiting = Atomics.waitAsync(this.#cells, this.#wakeAt + thread, seen);
    if (waiting.async) await waiting.value;
  }

  #findRow(kind: number, id: number): number | undefined {
    const low = id | 0;
    const high = Math.floor(id / 2 ** 32);
    for (let probe = 0; probe <= this.#bucketMask; probe++) {
      const row = Atomics.load(this.#cells, this.#bucketAt(kind, low, probe)) - 1;
      if (row < 0) return undefined;
      const isSame =
        this.readRow(row, "idLow") === low &&
        this.readRow(row, "idHigh") === high &&
        this.readRow(row, "kind") === kind;
      if (isSame) return row;
    }
    return undefined;
  }

  #addRow(kind: number, id: number): number | undefined {
    const row = this.rowsUsed;
    if (row >= this.#rows) return undefined;
    this.writeRow(row, "kind", kind);
    this.writeRow(row, "idLow", id | 0);
    this.writeRow(row, "idHigh", Math.floor(id / 2 ** 32));
    for (let probe = 0; probe <= this.#bucketMask; probe++) {
      const bucket = this.#bucketAt(kind, id | 0, probe);
      const taken = Atomics.load(this.#cells, bucket);
      if (taken !== 0 && taken !== row + 1) continue;
      Atomics.store(this.#cells, HEADER.rowsUsed, row + 1);
      Atomics.store(this.#cells, bucket, row + 1);
      return row;
    }
    return undefined;
  }

  #bucketAt(kind: number, low: number, probe: number): number {
    const hash = Math.imul(low + kind * KIND_STEP, 0x9e3779b1);
    return this.#bucketsAt + (((hash >>> 7) + probe) & this.#bucketMask);
  }

  #lockOf(row: number): number {
    return this.#rowsAt + row * ROW_CELLS + ROW.lock;
  }
}
