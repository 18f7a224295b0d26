import type { UsageRecord } from "#domain/usage-record.ts";

/** Keeps what every request used. */
export interface Ledger {
  /** Takes a finished request's record. Returns at once; the record is booked soon, exactly once. */
  record(record: UsageRecord): void;
  /** Settles when everything recorded so far by this thread is booked, or fails after a limit. */
  flush(): Promise<void>;
}
