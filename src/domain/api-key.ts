import type { ApiKeyId, GroupId, UserId } from "./ids.ts";
import type { KeySpan } from "./spend-window.ts";

/** A key that clients present, as the request path sees it: never the key itself, only its keyed hash. */
export interface ApiKey {
  readonly id: ApiKeyId;
  readonly userId: UserId;
  readonly groupId: GroupId;
  readonly hash: string;
  readonly status: "active" | "disabled";
  /** Milliseconds since the Unix epoch; undefined: never. */
  readonly expiresAtMs: number | undefined;
  /** What it may cost in all, in nano-dollars; undefined: as much as it likes. */
  readonly quotaNanos: bigint | undefined;
  /** What it may cost within each window, in nano-dollars; undefined: as much as it likes. */
  readonly windowLimits: Readonly<Record<KeySpan, bigint | undefined>>;
  /** Addresses and CIDR ranges; empty: every address. */
  readonly ipAllow: readonly string[];
  readonly ipDeny: readonly string[];
  /** Answers carry a short account of how they came about. */
  readonly hasTraceHeader: boolean;
}
