import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import type { Ledger } from "./ledger.ts";

/** Records wait this long for company before they are handed over, in milliseconds. */
const GATHER_MS = 10;
/** Records that are handed over at once. */
const GATHER_MAX = 256;

/** The way to the ledger thread that lives now. */
export interface LedgerDoor {
  /** Hands a batch over; the ledger says so when it is booked. */
  record(batch: number, lines: readonly string[]): void;
}

/**
 * One thread's way to the ledger: gathers records for a moment and hands them over together. A batch is kept
 * until it is booked, and handed over again when the ledger thread was replaced meanwhile; booking it twice
 * changes nothing.
 */
export class ThreadLedger implements Ledger {
  readonly #unbooked = new Map<number, readonly string[]>();
  /** Who waits for which batch to be booked, with all before it. */
  readonly #flushes = new Map<() => void, number>();
  #door: LedgerDoor | undefined;
  #gathered: string[] = [];
  #nextBatch = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** The ledger thread is there, or is there again. */
  connect(door: LedgerDoor): void {
    this.#door = door;
    for (const [batch, lines] of this.#unbooked) door.record(batch, lines);
  }

  /** A batch is in the database. */
  booked(batch: number): void {
    this.#unbooked.delete(batch);
    // Batches are kept in the order in which they were made.
    const [oldest = Number.POSITIVE_INFINITY] = this.#unbooked.keys();
    for (const [settle, last] of this.#flushes) {
      if (last < oldest) settle();
    }
  }

  record(record: UsageRecord): void {
    this.#gathered.push(usageLine(record));
    if (this.#gathered.length >= GATHER_MAX) this.#handOver();
    else this.#timer ??= setTimeout(() => this.#handOver(), GATHER_MS);
  }

  async flush(limitMs: number): Promise<void> {
    this.#handOver();
    if (this.#unbooked.size === 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new Error(`the ledger is behind by more than ${limitMs} ms`)),
      limitMs,
    );
    this.#flushes.set(resolve, this.#nextBatch - 1);
    await promise.finally(() => {
      clearTimeout(timer);
      this.#flushes.delete(resolve);
    });
  }

  #handOver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered.length === 0) return;
    const batch = this.#nextBatch++;
    this.#unbooked.set(batch, this.#gathered);
    this.#door?.record(batch, this.#gathered);
    this.#gathered = [];
  }
}
