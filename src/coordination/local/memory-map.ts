/**
 * The layout of the shared memory, and the only file that knows it.
 *
 * One `Int32Array` over one `SharedArrayBuffer`: a header, one wake word per thread, the holder rows with
 * the hash table that finds them, and per thread a table of lease entries. The entries are the truth about
 * who holds and who waits; everything in a row can be recomputed from them.
 */

/** How large the memory is. Given by the thread that makes it, read by the others. */
export interface MemorySize {
  /** Threads that may hold leases. */
  readonly threads: number;
  /** Holders (users and accounts together) that may ever be seen. */
  readonly rows: number;
  /** Leases and waiters one thread may have at once; a request uses two. */
  readonly entriesPerThread: number;
}

const HEADER_CELLS = 8;
const ROWS_USED = 0;
const TABLE_LOCK = 1;
const THREADS = 2;
const ROWS = 3;
const ENTRIES = 4;

const ROW_CELLS = 8;
const ROW = { lock: 0, kind: 1, idLow: 2, idHigh: 3, limit: 4, held: 5, waiting: 6, head: 7 } as const;
const ENTRY_CELLS = 6;
const ENTRY = { state: 0, row: 1, ticket: 2, previous: 3, next: 4, since: 5 } as const;

/** What an entry is doing. */
export const ENTRY_FREE = 0;
export const ENTRY_WAITING = 1;
export const ENTRY_HELD = 2;

/** Fields of a holder's row that hold plain numbers. */
export type RowField = keyof typeof ROW;
/** Fields of a lease entry. Links hold entry number + 1; 0 is none. */
export type EntryField = keyof typeof ENTRY;

/** How long a lock may be contended before the process is taken to be broken, in milliseconds. */
const LOCK_WAIT_MS_MAX = 10_000;
const LOCK_SPINS = 200;

/** Typed access to the shared memory. Holds no state of its own. */
export class MemoryMap {
  readonly buffer: SharedArrayBuffer;
  readonly threads: number;
  readonly rows: number;
  readonly entriesPerThread: number;
  readonly #cells: Int32Array;
  readonly #wakeAt = HEADER_CELLS;
  readonly #rowsAt: number;
  readonly #tailsAt: number;
  readonly #bucketsAt: number;
  readonly #bucketMask: number;
  readonly #entriesAt: number;

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#cells = new Int32Array(buffer);
    this.threads = Atomics.load(this.#cells, THREADS);
    this.rows = Atomics.load(this.#cells, ROWS);
    this.entriesPerThread = Atomics.load(this.#cells, ENTRIES);
    const buckets = bucketCount(this.rows);
    this.#rowsAt = this.#wakeAt + this.threads;
    this.#tailsAt = this.#rowsAt + this.rows * ROW_CELLS;
    this.#bucketsAt = this.#tailsAt + this.rows * 2;
    this.#bucketMask = buckets - 1;
    this.#entriesAt = this.#bucketsAt + buckets;
  }

  /** Makes a zeroed memory of the given size. */
  static create({ threads, rows, entriesPerThread }: MemorySize): MemoryMap {
    const cells =
      HEADER_CELLS +
      threads +
      rows * (ROW_CELLS + 2) +
      bucketCount(rows) +
      threads * entriesPerThread * ENTRY_CELLS;
    const buffer = new SharedArrayBuffer(cells * Int32Array.BYTES_PER_ELEMENT);
    const header = new Int32Array(buffer, 0, HEADER_CELLS);
    header[THREADS] = threads;
    header[ROWS] = rows;
    header[ENTRIES] = entriesPerThread;
    return new MemoryMap(buffer);
  }

  get rowsUsed(): number {
    return Atomics.load(this.#cells, ROWS_USED);
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
    const cell = this.#rowsAt + row * ROW_CELLS + ROW.lock;
    this.#lock(cell, thread);
    try {
      return work();
    } finally {
      this.#unlock(cell);
    }
  }

  /** Like {@link locked}, but gives up at once when another thread has the lock. False: `work` has not run. */
  tryLocked(row: number, thread: number, work: () => void): boolean {
    const cell = this.#rowsAt + row * ROW_CELLS + ROW.lock;
    if (Atomics.compareExchange(this.#cells, cell, 0, thread + 1) !== 0) return false;
    try {
      work();
    } finally {
      this.#unlock(cell);
    }
    return true;
  }

  /** Takes over a lock that a dead thread left, so that its row can be repaired. False when it left none. */
  seize(row: number, deadThread: number, by: number): boolean {
    const cell = this.#rowsAt + row * ROW_CELLS + ROW.lock;
    return Atomics.compareExchange(this.#cells, cell, deadThread + 1, by + 1) === deadThread + 1;
  }

  unlockSeized(row: number): void {
    this.#unlock(this.#rowsAt + row * ROW_CELLS + ROW.lock);
  }

  /** Gives back the row table's lock if a dead thread left it. Creating a row is safe to repeat. */
  unlockTableOf(deadThread: number): void {
    if (Atomics.compareExchange(this.#cells, TABLE_LOCK, deadThread + 1, 0) === deadThread + 1) {
      Atomics.notify(this.#cells, TABLE_LOCK);
    }
  }

  /** The row of a holder, made when there is none; undefined when the table is full. */
  rowOf(kind: number, id: number, thread: number): number | undefined {
    const known = this.#findRow(kind, id);
    if (known !== undefined) return known;
    this.#lock(TABLE_LOCK, thread);
    try {
      return this.#findRow(kind, id) ?? this.#addRow(kind, id);
    } finally {
      this.#unlock(TABLE_LOCK);
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
    if (row >= this.rows) return undefined;
    this.writeRow(row, "kind", kind);
    this.writeRow(row, "idLow", id | 0);
    this.writeRow(row, "idHigh", Math.floor(id / 2 ** 32));
    for (let probe = 0; probe <= this.#bucketMask; probe++) {
      const bucket = this.#bucketAt(kind, id | 0, probe);
      const taken = Atomics.load(this.#cells, bucket);
      if (taken !== 0 && taken !== row + 1) continue;
      Atomics.store(this.#cells, ROWS_USED, row + 1);
      Atomics.store(this.#cells, bucket, row + 1);
      return row;
    }
    return undefined;
  }

  #bucketAt(kind: number, low: number, probe: number): number {
    const hash = Math.imul(low ^ (kind << 30), 0x9e3779b1);
    return this.#bucketsAt + (((hash >>> 7) + probe) & this.#bucketMask);
  }

  /** Spins briefly, then sleeps in steps of a millisecond: the holder is gone after a few hundred nanoseconds. */
  #lock(cell: number, thread: number): void {
    for (let spin = 0; spin < LOCK_SPINS; spin++) {
      if (Atomics.compareExchange(this.#cells, cell, 0, thread + 1) === 0) return;
    }
    for (let waitedMs = 0; waitedMs < LOCK_WAIT_MS_MAX; waitedMs++) {
      const owner = Atomics.compareExchange(this.#cells, cell, 0, thread + 1);
      if (owner === 0) return;
      Atomics.wait(this.#cells, cell, owner, 1);
    }
    const owner = Atomics.load(this.#cells, cell) - 1;
    throw new Error(`lock ${cell} in shared memory was not given back by thread ${owner}`);
  }

  #unlock(cell: number): void {
    Atomics.store(this.#cells, cell, 0);
  }
}

/** A power of two, at most half full, so that probes stay short. */
function bucketCount(rows: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, rows * 2)));
}
