import type { UserId } from "./ids.ts";

/** Somebody whose keys may call the gateway. */
export interface User {
  readonly id: UserId;
  readonly status: "active" | "disabled";
  /** May be negative: an answer that is under way is finished. */
  readonly balanceNanos: bigint;
  /** Grows with every change of the balance. */
  readonly revision: number;
  /** Requests at once; 0 means unlimited. */
  readonly concurrency: number;
}
