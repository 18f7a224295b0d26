import { assert } from "#kernel/assert.ts";
import { ENTRY_FREE, ENTRY_HELD, ENTRY_WAITING, type MemoryMap } from "./memory-map.ts";

const UNLIMITED = 0x7fff_ffff;

/**
 * The rules of one holder's row: counts, and a doubly linked line of waiting entries.
 *
 * Every function here must be called under the row's lock. An entry's state is always written before the
 * row's counters and links, so a row whose thread died halfway is recomputed from its entries.
 */
export class WaitingLine {
  readonly #memory: MemoryMap;

  constructor(memory: MemoryMap) {
    this.#memory = memory;
  }

  /** Slots the row may have in use now. */
  capOf(row: number): number {
    const limit = this.#memory.readRow(row, "limit");
    return limit === 0 ? UNLIMITED : limit;
  }

  /** Marks a free entry as holding one of the row's slots. */
  hold(row: number, entry: number): void {
    const memory = this.#memory;
    memory.writeEntry(entry, "row", row);
    memory.writeEntry(entry, "state", ENTRY_HELD);
    memory.writeRow(row, "held", memory.readRow(row, "held") + 1);
  }

  /** Puts a free entry at the end of the row's line. */
  append(row: number, entry: number, sinceMs: number): void {
    const memory = this.#memory;
    const tail = memory.readTail(row);
    memory.writeEntry(entry, "row", row);
    memory.writeEntry(entry, "ticket", memory.drawTicket(row));
    memory.writeEntry(entry, "since", sinceMs | 0);
    memory.writeEntry(entry, "previous", tail);
    memory.writeEntry(entry, "next", 0);
    memory.writeEntry(entry, "state", ENTRY_WAITING);
    if (tail === 0) memory.writeRow(row, "head", entry + 1);
    else memory.writeEntry(tail - 1, "next", entry + 1);
    memory.writeTail(row, entry + 1);
    memory.writeRow(row, "waiting", memory.readRow(row, "waiting") + 1);
  }

  /** Gives back what an entry holds or takes it out of the line; then lets the next ones through. */
  remove(row: number, entry: number, granted: number[]): void {
    const memory = this.#memory;
    const state = memory.readEntry(entry, "state");
    memory.writeEntry(entry, "state", ENTRY_FREE);
    if (state === ENTRY_HELD) memory.writeRow(row, "held", memory.readRow(row, "held") - 1);
    if (state === ENTRY_WAITING) this.#unlink(row, entry);
    this.grantNext(row, granted);
  }

  /** Grants slots from the head of the line while there are any; the entries go into `granted`. */
  grantNext(row: number, granted: number[]): void {
    const memory = this.#memory;
    const cap = this.capOf(row);
    for (let head = memory.readRow(row, "head"); head !== 0; head = memory.readRow(row, "head")) {
      if (memory.readRow(row, "held") >= cap) return;
      memory.writeEntry(head - 1, "state", ENTRY_HELD);
      this.#unlink(row, head - 1);
      memory.writeRow(row, "held", memory.readRow(row, "held") + 1);
      granted.push(head - 1);
    }
  }

  /** Recomputes the row from its entries, after a thread died while it held the row's lock. */
  repair(row: number): void {
    const memory = this.#memory;
    const waiting: number[] = [];
    let held = 0;
    for (let entry = 0; entry < memory.threads * memory.entriesPerThread; entry++) {
      if (memory.readEntry(entry, "row") !== row) continue;
      const state = memory.readEntry(entry, "state");
      if (state === ENTRY_HELD) held++;
      if (state === ENTRY_WAITING) waiting.push(entry);
    }
    waiting.sort((a, b) => (memory.readEntry(a, "ticket") - memory.readEntry(b, "ticket")) | 0);
    memory.writeRow(row, "held", held);
    memory.writeRow(row, "waiting", waiting.length);
    memory.writeRow(row, "head", (waiting.at(0) ?? -1) + 1);
    memory.writeTail(row, (waiting.at(-1) ?? -1) + 1);
    for (const [place, entry] of waiting.entries()) {
      memory.writeEntry(entry, "previous", (waiting[place - 1] ?? -1) + 1);
      memory.writeEntry(entry, "next", (waiting[place + 1] ?? -1) + 1);
    }
  }

  #unlink(row: number, entry: number): void {
    const memory = this.#memory;
    const previous = memory.readEntry(entry, "previous");
    const next = memory.readEntry(entry, "next");
    if (previous === 0) memory.writeRow(row, "head", next);
    else memory.writeEntry(previous - 1, "next", next);
    if (next === 0) memory.writeTail(row, previous);
    else memory.writeEntry(next - 1, "previous", previous);
    const waiting = memory.readRow(row, "waiting") - 1;
    assert(waiting >= 0, "a line is never shorter than empty");
    memory.writeRow(row, "waiting", waiting);
  }
}
