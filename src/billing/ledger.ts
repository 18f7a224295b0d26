import type { UsageRecord } from "#domain/usage-record.ts";

/** What is recorded and not booked yet. */
export interface Backlog {
  readonly records: number;
  /** What it takes on the disk; what is booked already may be part of it for a moment. */
  readonly bytes: number;
  /** How long ago the oldest of the records was made, in milliseconds; 0 when there is none. */
  readonly oldestMs: number;
}

/** Keeps what every request used. */
export interface Ledger {
  /**
   * Takes a finished request's record. When this returns the record is in the journal, so that it is booked
   * exactly once even if the process is killed at once. It never throws: a record that the disk does not take
   * is kept in memory, booked from there and tried again, and {@link canAccept} says no meanwhile.
   */
  record(record: UsageRecord): void;
  /**
   * Takes a record as {@link record} does, in one write with those of requests that end at the same moment. It is in
   * the journal when this settles, in the same turn of the event loop; it never rejects.
   */
  recordTogether(record: UsageRecord): Promise<void>;
  /** False while records of new requests could not be kept safe: the journal is full or cannot be written. */
  canAccept(): boolean;
  /**
   * Returns when a new request can be taken on.
   *
   * @throws Fault `billing.journal_full` when {@link canAccept} says no.
   */
  checkRoom(): void;
  /** How far the books are behind, as far as this thread knows. */
  backlog(): Backlog;
  /**
   * Settles when everything recorded so far by this thread is booked.
   *
   * @throws Error when that takes longer than `limitMs`.
   */
  flush(limitMs: number): Promise<void>;
}
