import type { Clock } from "#kernel/clock.ts";
import { lockCell, seizeCell, unlockCell } from "./cell-lock.ts";
import type { KeyHash } from "./key-hash.ts";
import {
  KEYED,
  KEYED_NUMBER,
  type MemoryLayout,
  SET,
  SET_CELLS,
  SET_ENTRIES,
  SET_ENTRY_CELLS,
  SET_HEAD_CELLS,
  type TableArea,
} from "./memory-layout.ts";

/** None of a set's entries. */
const NONE = -1;

/** What a table keeps under a key. */
export interface TableEntry {
  /** A number above 0. */
  readonly value: number;
  /** Milliseconds since the Unix epoch. */
  readonly expiresMs: number;
}

/** A key: the hash of a text, and the id of what the text belongs to, which has to be the same as well. */
export interface TableKey {
  readonly hash: KeyHash;
  readonly scope: number;
}

/** Says which entries are meant. */
export type EntryFilter = (scope: number, value: number) => boolean;

/**
 * A bounded table in shared memory, divided into sets. A key has its place in one set; where that is full, an
 * entry that has expired gives way, else the one that was written longest ago.
 *
 * Everything happens under the set's lock. An entry is free while it is being written and gets its value last,
 * so that one whose thread died halfway is free, and never another's.
 */
export class ExpiringTable {
  readonly #cells: Int32Array;
  readonly #numbers: Float64Array;
  readonly #area: TableArea;
  readonly #thread: number;
  readonly #clock: Clock;

  constructor(layout: MemoryLayout, area: TableArea, thread: number, clock: Clock) {
    this.#cells = layout.cells;
    this.#numbers = layout.numbers;
    this.#area = area;
    this.#thread = thread;
    this.#clock = clock;
  }

  /** What is kept under a key, whether it has expired or not. */
  find(key: TableKey): TableEntry | undefined {
    const set = this.#lockSetOf(key);
    try {
      const entry = this.#search(set, key);
      if (entry === NONE) return undefined;
      return { value: this.#number(entry, "value"), expiresMs: this.#number(entry, "expiresMs") };
    } finally {
      this.#unlock(set);
    }
  }

  /** Keeps this under a key, in place of what was there. */
  put(key: TableKey, kept: TableEntry): void {
    const set = this.#lockSetOf(key);
    try {
      const known = this.#search(set, key);
      this.#write(set, known === NONE ? this.#roomIn(set) : known, key, kept);
    } finally {
      this.#unlock(set);
    }
  }

  /** Like {@link put}, unless what is there expires later. */
  extend(key: TableKey, kept: TableEntry): void {
    const set = this.#lockSetOf(key);
    try {
      const known = this.#search(set, key);
      if (known !== NONE && this.#number(known, "expiresMs") >= kept.expiresMs) return;
      this.#write(set, known === NONE ? this.#roomIn(set) : known, key, kept);
    } finally {
      this.#unlock(set);
    }
  }

  /** Drops what is kept under a key if it is this. */
  remove(key: TableKey, value: number): void {
    const set = this.#lockSetOf(key);
    try {
      const entry = this.#search(set, key);
      if (entry !== NONE && this.#number(entry, "value") === value) this.#free(entry);
    } finally {
      this.#unlock(set);
    }
  }

  /** Drops all entries that are meant; how many of them had not expired. Looks at the whole table. */
  removeWhere(isMeant: EntryFilter): number {
    const nowMs = this.#clock.now();
    let removed = 0;
    for (let index = 0; index < this.#area.sets; index++) {
      const set = this.#area.at + index * SET_CELLS;
      if (Atomics.load(this.#cells, set + SET.tickets) === 0) continue;
      lockCell(this.#cells, set + SET.lock, this.#thread);
      try {
        removed += this.#removeFrom(set, isMeant, nowMs);
      } finally {
        this.#unlock(set);
      }
    }
    return removed;
  }

  #removeFrom(set: number, isMeant: EntryFilter, nowMs: number): number {
    let removed = 0;
    for (let place = 0; place < SET_ENTRIES; place++) {
      const entry = entryAt(set, place);
      const value = this.#number(entry, "value");
      if (value === 0 || !isMeant(this.#number(entry, "scope"), value)) continue;
      if (this.#number(entry, "expiresMs") > nowMs) removed++;
      this.#free(entry);
    }
    return removed;
  }

  #search(set: number, { hash: { low, high }, scope }: TableKey): number {
    const cells = this.#cells;
    for (let place = 0; place < SET_ENTRIES; place++) {
      const entry = entryAt(set, place);
      if (cells[entry + KEYED.hashLow] !== low || cells[entry + KEYED.hashHigh] !== high) continue;
      if (this.#number(entry, "scope") === scope && this.#number(entry, "value") !== 0) return entry;
    }
    return NONE;
  }

  /** An entry that is free, else one that has expired, else the one that was written longest ago. */
  #roomIn(set: number): number {
    const nowMs = this.#clock.now();
    const tickets = Atomics.load(this.#cells, set + SET.tickets);
    let oldest = entryAt(set, 0);
    let oldestAge = -1;
    for (let place = 0; place < SET_ENTRIES; place++) {
      const entry = entryAt(set, place);
      if (this.#number(entry, "value") === 0 || this.#number(entry, "expiresMs") <= nowMs) return entry;
      const age = (tickets - Atomics.load(this.#cells, set + SET.used + place)) >>> 0;
      if (age <= oldestAge) continue;
      oldest = entry;
      oldestAge = age;
    }
    return oldest;
  }

  #write(set: number, entry: number, { hash, scope }: TableKey, { value, expiresMs }: TableEntry): void {
    const cells = this.#cells;
    const numbers = this.#numbers;
    this.#free(entry);
    // Atomic, so that nothing of this is put before the entry is free or after it has its value.
    Atomics.store(cells, entry + KEYED.hashLow, hash.low);
    Atomics.store(cells, entry + KEYED.hashHigh, hash.high);
    numbers[entry / 2 + KEYED_NUMBER.scope] = scope;
    numbers[entry / 2 + KEYED_NUMBER.expiresMs] = expiresMs;
    const ticket = Atomics.add(cells, set + SET.tickets, 1) + 1;
    Atomics.store(cells, set + SET.used + placeOf(set, entry), ticket);
    numbers[entry / 2 + KEYED_NUMBER.value] = value;
  }

  #free(entry: number): void {
    this.#numbers[entry / 2 + KEYED_NUMBER.value] = 0;
  }

  #number(entry: number, field: keyof typeof KEYED_NUMBER): number {
    return this.#numbers[entry / 2 + KEYED_NUMBER[field]] ?? 0;
  }

  #lockSetOf({ hash: { high } }: TableKey): number {
    const set = this.#area.at + ((high >>> 0) % this.#area.sets) * SET_CELLS;
    lockCell(this.#cells, set + SET.lock, this.#thread);
    return set;
  }

  #unlock(set: number): void {
    unlockCell(this.#cells, set + SET.lock);
  }
}

/** Gives back the locks of sets that a dead thread left. What it was writing is free or whole. */
export function unlockSetsOf(layout: MemoryLayout, area: TableArea, deadThread: number, by: number): void {
  for (let index = 0; index < area.sets; index++) {
    const lock = area.at + index * SET_CELLS + SET.lock;
    if (seizeCell(layout.cells, lock, deadThread, by)) unlockCell(layout.cells, lock);
  }
}

function entryAt(set: number, place: number): number {
  return set + SET_HEAD_CELLS + place * SET_ENTRY_CELLS;
}

function placeOf(set: number, entry: number): number {
  return (entry - set - SET_HEAD_CELLS) / SET_ENTRY_CELLS;
}
