/**
 * Where everything lies in the shared memory, and the only file that knows it.
 *
 * One `SharedArrayBuffer`, seen as 32-bit cells and as 64-bit numbers: a header, one wake word per thread, the
 * rows of holders and purses with the hash table that finds them, per thread a table of lease entries and one of
 * holds, then per row the figures of an account and those of a purse, two tables of expiring entries and the
 * blocks of active conversations. The lease entries are the truth about who holds and who waits, and the holds
 * about what is held; a row's sums can be recomputed from them.
 */

/** How large the memory is. Given by the thread that makes it, read by the others. */
export interface MemorySize {
  /** Threads that may hold leases. */
  readonly threads: number;
  /** Holders (users, accounts and turns) and purses, together, that may ever be seen. */
  readonly rows: number;
  /** Leases and waiters one thread may have at once; a request uses two. */
  readonly entriesPerThread: number;
  /** Holds one thread may have at once, at 32 bytes each; a request uses two. As many as leases by default. */
  readonly holdsPerThread?: number;
  /** Conversations that can be bound to accounts at once, at 37 bytes each; rounded up to whole sets. */
  readonly bindings?: number;
  /** Rests of accounts for single models at once; rounded up to whole sets. */
  readonly modelRests?: number;
  /** Accounts whose active conversations can be counted, at 2 KiB each. */
  readonly activeBlocks?: number;
}

const BINDINGS_DEFAULT = 262_144;
const MODEL_RESTS_DEFAULT = 16_384;
const ACTIVE_BLOCKS_DEFAULT = 4_096;

/** Every area begins on a cache line of its own; 64 bytes on the machines this runs on. */
const LINE_CELLS = 16;

/** Cells of the header. */
export const HEADER = {
  rowsUsed: 0,
  tableLock: 1,
  threads: 2,
  rows: 3,
  entriesPerThread: 4,
  bindingSets: 5,
  modelRestSets: 6,
  activeBlocks: 7,
  activeBlocksUsed: 8,
  holdsPerThread: 9,
  nodes: 10,
} as const;

/** Cells of a holder's row. */
export const ROW = { lock: 0, kind: 1, idLow: 2, idHigh: 3, limit: 4, held: 5, waiting: 6, head: 7 } as const;
/** Cells from one row to the next. */
export const ROW_CELLS = 8;

/** Cells of a lease entry. */
export const ENTRY = { state: 0, row: 1, ticket: 2, previous: 3, next: 4, since: 5 } as const;
/** Cells from one lease entry to the next. */
export const ENTRY_CELLS = 6;

/**
 * Numbers of an account's figures. Zeros are those of an account that was never used. The first line of the
 * cache has what choosing reads; what others have in flight and in line is of other nodes, as far as it is known.
 * `coolingReason` is its place among the reasons + 1, `prober` a thread's
 * number + 1, `activeBlock` a block's number + 1, `changedAtMs` when the circuit turned or the account recovered
 * last, by the clock of whoever did it.
 */
export const VITAL = {
  coolingUntilMs: 0,
  openUntilMs: 1,
  lastUsedMs: 2,
  headroom: 3,
  headroomResetMs: 4,
  othersInFlight: 5,
  othersWaiting: 6,
  activeBlock: 7,
  coolingReason: 8,
  firstTokenMs: 9,
  errorRate: 10,
  samples: 11,
  failures: 12,
  openForMs: 13,
  prober: 14,
  probeUntilMs: 15,
  strikes: 16,
  struckAtMs: 17,
  stalls: 18,
  stallsSinceMs: 19,
  activeUsed: 20,
  minute: 21,
  requests: 22,
  changedAtMs: 23,
} as const;

/** What of it is forgotten when an account has recovered. */
export const RECOVERED: readonly number[] = [
  VITAL.coolingUntilMs,
  VITAL.coolingReason,
  VITAL.strikes,
  VITAL.stalls,
  VITAL.headroomResetMs,
  VITAL.firstTokenMs,
  VITAL.errorRate,
  VITAL.samples,
];
const VITAL_CELLS = 48;

/**
 * Numbers of a purse, in nano-dollars but for `revision`, which is that of the books, and `expiresMs`, before which
 * none of its holds expires; 0 is never. From `unbooked` on, one number per thread: what it answers for.
 */
export const PURSE = { available: 0, revision: 1, held: 2, expiresMs: 3, unbooked: 4 } as const;

/** Numbers of a hold. `row` is its purse's number + 1; 0 is a free place. */
export const HOLD = { row: 0, amount: 1, expiresMs: 2 } as const;
/** Numbers from one hold to the next. */
const HOLD_NUMBERS = 4;

/** Entries of one set of a table: with the set's own cells they fill eight lines of the cache. */
export const SET_ENTRIES = 14;
/** Cells of a set. From `used` on, one cell per entry: the ticket it drew when it was used last. */
export const SET = { lock: 0, tickets: 1, used: 2 } as const;
/** Cells and numbers from one set to the next, and from a set to its first entry. */
export const SET_CELLS = 128;
/** Cells of a set before its first entry. */
export const SET_HEAD_CELLS = 16;
/** Cells from one entry of a set to the next. */
export const SET_ENTRY_CELLS = 8;
/** Cells of an entry of a set that hold its key's hash. */
export const KEYED = { hashLow: 0, hashHigh: 1 } as const;
/** Numbers of an entry of a set, behind its hash. An entry whose value is 0 is free. */
export const KEYED_NUMBER = { expiresMs: 1, scope: 2, value: 3 } as const;

/** Conversations of one account that can be counted as active. */
export const ACTIVE_MAX = 128;
/** Cells from one active conversation to the next: its hash in two cells, then the number `seenMs`. */
export const ACTIVE_CELLS = 4;
/** The number of an active conversation that says when it was seen last. */
export const ACTIVE_SEEN = 1;

/** A table of entries that expire: where it begins, in cells, and of how many sets it is. */
export interface TableArea {
  readonly at: number;
  readonly sets: number;
}

/** Lays the areas out one behind the other. */
class Plan {
  cells = 0;

  /** Where an area of so many cells begins. */
  take(cells: number): number {
    const at = this.cells;
    this.cells = Math.ceil((at + cells) / LINE_CELLS) * LINE_CELLS;
    return at;
  }
}

/** The areas of a memory, as views and offsets. Offsets count cells; a number's place is half its cell's. */
export class MemoryLayout {
  readonly buffer: SharedArrayBuffer;
  readonly cells: Int32Array;
  readonly numbers: Float64Array;
  readonly threads: number;
  readonly rows: number;
  readonly entriesPerThread: number;
  readonly holdsPerThread: number;
  readonly wakeAt: number;
  readonly rowsAt: number;
  readonly tailsAt: number;
  readonly bucketsAt: number;
  readonly bucketMask: number;
  readonly entriesAt: number;
  readonly bindings: TableArea;
  readonly modelRests: TableArea;
  readonly activeBlocks: number;
  readonly #vitalsAt: number;
  readonly #pursesAt: number;
  readonly #purseCells: number;
  readonly #holdsAt: number;
  readonly #holdsUsedAt: number;
  readonly #activeAt: number;

  /** The layout of a memory that {@link createMemory} made. */
  constructor(buffer: SharedArrayBuffer) {
    const cells = new Int32Array(buffer);
    const head = (field: keyof typeof HEADER): number => Atomics.load(cells, HEADER[field]);
    this.buffer = buffer;
    this.cells = cells;
    this.numbers = new Float64Array(buffer);
    this.threads = head("threads");
    this.rows = head("rows");
    this.entriesPerThread = head("entriesPerThread");
    this.holdsPerThread = head("holdsPerThread");
    this.activeBlocks = head("activeBlocks");
    this.bucketMask = bucketCount(this.rows) - 1;
    const areas = layOut({
      threads: this.threads,
      rows: this.rows,
      entriesPerThread: this.entriesPerThread,
      holdsPerThread: this.holdsPerThread,
      bindingSets: head("bindingSets"),
      modelRestSets: head("modelRestSets"),
      activeBlocks: this.activeBlocks,
    });
    this.wakeAt = areas.wakeAt;
    this.rowsAt = areas.rowsAt;
    this.tailsAt = areas.tailsAt;
    this.bucketsAt = areas.bucketsAt;
    this.entriesAt = areas.entriesAt;
    this.bindings = { at: areas.bindingsAt, sets: head("bindingSets") };
    this.modelRests = { at: areas.modelRestsAt, sets: head("modelRestSets") };
    this.#vitalsAt = areas.vitalsAt;
    this.#pursesAt = areas.pursesAt;
    this.#purseCells = purseCells(this.threads);
    this.#holdsAt = areas.holdsAt;
    this.#holdsUsedAt = areas.holdsUsedAt;
    this.#activeAt = areas.activeAt;
  }

  /** The cell at which a row begins. */
  rowAt(row: number): number {
    return this.rowsAt + row * ROW_CELLS;
  }

  /** The number at which a row's figures begin. */
  vitalsAt(row: number): number {
    return (this.#vitalsAt + row * VITAL_CELLS) / 2;
  }

  /** The number at which a purse begins. */
  purseAt(row: number): number {
    return (this.#pursesAt + row * this.#purseCells) / 2;
  }

  /** The number at which a hold begins. */
  holdAt(hold: number): number {
    return this.#holdsAt / 2 + hold * HOLD_NUMBERS;
  }

  /** The cell that says how many of a thread's places for holds were ever used. */
  holdsUsedAt(thread: number): number {
    return this.#holdsUsedAt + thread;
  }

  /** The cell at which a block of active conversations begins. */
  activeBlockAt(block: number): number {
    return this.#activeAt + block * ACTIVE_MAX * ACTIVE_CELLS;
  }
}

interface Shape {
  readonly threads: number;
  readonly rows: number;
  readonly entriesPerThread: number;
  readonly holdsPerThread: number;
  readonly bindingSets: number;
  readonly modelRestSets: number;
  readonly activeBlocks: number;
}

/** Makes a zeroed memory of the given size. Pages of it that nobody writes to cost no memory. */
export function createMemory(size: MemorySize): SharedArrayBuffer {
  const shape: Shape = {
    threads: size.threads,
    rows: size.rows,
    entriesPerThread: size.entriesPerThread,
    holdsPerThread: size.holdsPerThread ?? size.entriesPerThread,
    bindingSets: Math.ceil((size.bindings ?? BINDINGS_DEFAULT) / SET_ENTRIES),
    modelRestSets: Math.ceil((size.modelRests ?? MODEL_RESTS_DEFAULT) / SET_ENTRIES),
    activeBlocks: size.activeBlocks ?? ACTIVE_BLOCKS_DEFAULT,
  };
  const buffer = new SharedArrayBuffer(layOut(shape).cells * Int32Array.BYTES_PER_ELEMENT);
  const header = new Int32Array(buffer);
  for (const [field, value] of Object.entries(shape)) header[HEADER[field as keyof Shape]] = value;
  return buffer;
}

function layOut(shape: Shape) {
  const plan = new Plan();
  plan.take(LINE_CELLS);
  const areas = {
    wakeAt: plan.take(shape.threads),
    rowsAt: plan.take(shape.rows * ROW_CELLS),
    tailsAt: plan.take(shape.rows * 2),
    bucketsAt: plan.take(bucketCount(shape.rows)),
    entriesAt: plan.take(shape.threads * shape.entriesPerThread * ENTRY_CELLS),
    vitalsAt: plan.take(shape.rows * VITAL_CELLS),
    pursesAt: plan.take(shape.rows * purseCells(shape.threads)),
    holdsAt: plan.take(shape.threads * shape.holdsPerThread * HOLD_NUMBERS * 2),
    holdsUsedAt: plan.take(shape.threads),
    bindingsAt: plan.take(shape.bindingSets * SET_CELLS),
    modelRestsAt: plan.take(shape.modelRestSets * SET_CELLS),
    activeAt: plan.take(shape.activeBlocks * ACTIVE_MAX * ACTIVE_CELLS),
  };
  return { ...areas, cells: plan.cells };
}

/** Cells of a purse, in whole lines of the cache. */
function purseCells(threads: number): number {
  return Math.ceil(((PURSE.unbooked + threads) * 2) / LINE_CELLS) * LINE_CELLS;
}

/** A power of two, at most half full, so that probes stay short. */
function bucketCount(rows: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, rows * 2)));
}
