import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import type { Log } from "#kernel/log.ts";
import type { Ledger } from "./ledger.ts";

/** Records wait this long for company before they are handed over, in milliseconds. */
const GATHER_MS = 20;
/** Records that are handed over at once. */
const GATHER_MAX = 256;
/**
 * Records that may wait in one thread for being booked before it is said loudly, and again each time as many
 * more wait. They take about a kilobyte each. None is ever dropped: it is the database that has to come back.
 */
const UNBOOKED_MAX = 50_000;

/** The way to the ledger thread that lives now. */
export interface LedgerDoor {
  /** Hands a batch over; the ledger says so when it is booked. */
  record(batch: number, lines: readonly string[]): void;
  /** Has what was handed over booked at once. */
  hurry(): void;
}

/**
 * One thread's way to the ledger: gathers records for a moment and hands them over together. A batch is kept
 * until it is booked, and handed over again when the ledger thread was replaced meanwhile; booking it twice
 * changes nothing.
 */
export class ThreadLedger implements Ledger {
  readonly #log: Log;
  /** In the order in which they were handed over. */
  readonly #unbooked = new Map<number, readonly string[]>();
  #unbookedRecords = 0;
  #bound = UNBOOKED_MAX;
  /** Who waits for which batch to be booked, with all before it. */
  readonly #flushes = new Map<() => void, number>();
  #door: LedgerDoor | undefined;
  #gathered: string[] = [];
  #nextBatch = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** The ledger thread is there, or is there again. */
  connect(door: LedgerDoor): void {
    this.#door = door;
    for (const [batch, lines] of this.#unbooked) door.record(batch, lines);
    if (this.#flushes.size > 0) door.hurry();
  }

  /** A batch is in the database, and so are all that were handed over before it. */
  booked(batch: number): void {
    for (const [earlier, lines] of this.#unbooked) {
      if (earlier > batch) break;
      this.#unbooked.delete(earlier);
      this.#unbookedRecords -= lines.length;
    }
    if (this.#unbookedRecords <= UNBOOKED_MAX) this.#bound = UNBOOKED_MAX;
    for (const [settle, last] of this.#flushes) {
      if (last <= batch) settle();
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
    this.#door?.hurry();
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
    this.#unbookedRecords += this.#gathered.length;
    this.#door?.record(batch, this.#gathered);
    this.#gathered = [];
    this.#watchBound();
  }

  #watchBound(): void {
    if (this.#unbookedRecords <= this.#bound) return;
    this.#log.error("ledger.too_many_unbooked", { records: this.#unbookedRecords, bound: UNBOOKED_MAX });
    this.#bound = this.#unbookedRecords + UNBOOKED_MAX;
  }
}
