import type { Group } from "./group.ts";
import type { ApiKeyId, UserId } from "./ids.ts";

/** Who is calling, as far as one request needs to know. */
export interface Principal {
  readonly userId: UserId;
  readonly apiKeyId: ApiKeyId;
  readonly group: Group;
  /** What costs are multiplied with for this user in this group: 1_000_000_000n is 1.0, 0n is free. */
  readonly rateMultiplierNanos: bigint;
  /** Requests at once for this user; 0 means unlimited. */
  readonly concurrency: number;
  /** Answers carry a short account of how they came about. */
  readonly hasTraceHeader: boolean;
}

/** How many requests may queue behind a user's slots: `max(concurrency, 1) + 20`. */
export function userWaitersMax(concurrency: number): number {
  return Math.max(concurrency, 1) + 20;
}
