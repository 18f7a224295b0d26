import type { UsageRecord } from "#domain/usage-record.ts";

/** Keeps what every request used. */
export interface Ledger {
  /** Takes a finished request's record. Returns at once; the record is booked soon, exactly once. */
  record(record: UsageRecord): void;
  /**
   * Settles when everything recorded so far by this thread is booked.
   *
   * @throws Error when that takes longer than `limitMs`.
   */
  flush(limitMs: number): Promise<void>;
}
