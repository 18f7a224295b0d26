import type { AccountId } from "./ids.ts";

/** A quarter of an hour, in milliseconds: what costs are gathered by. Every offset of a time zone in use is a multiple. */
export const QUARTER_MS = 900_000;

/** How long quarters are told apart in memory, in milliseconds: longer than any window, which is a week. */
export const QUARTERS_KEPT_MS = 8 * 86_400_000;

/** What the requests that an account served in one quarter of an hour have cost together. */
export interface QuarterSpend {
  readonly accountId: AccountId;
  /** The beginning of the quarter, in milliseconds since the Unix epoch. */
  readonly quarterMs: number;
  /** All that is booked for the quarter, in nano-dollars; only ever grows. Exact up to nine million dollars. */
  readonly costNanos: number;
}
