import type { Secret } from "#kernel/secret.ts";
import type {
  AccountQuota,
  QueueMode,
  RpmLimit,
  SessionLimit,
  UnschedulableRule,
  WindowCostLimit,
} from "./account-limits.ts";
import type { AccountId, GroupId } from "./ids.ts";
import type { Platform } from "./platform.ts";

/** How an account proves who it is. */
export const ACCOUNT_TYPES = ["api_key", "oauth", "setup_token"] as const;
export type AccountType = (typeof ACCOUNT_TYPES)[number];

/** Whether an operator or the upstream has taken an account out of use. */
export const ACCOUNT_STATUSES = ["active", "disabled", "error"] as const;
export type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

/** One upstream credential the gateway may send requests with, as the request path sees it. */
export interface Account {
  readonly id: AccountId;
  readonly name: string;
  readonly platform: Platform;
  readonly type: AccountType;
  readonly status: AccountStatus;
  readonly schedulable: boolean;
  /** Where requests go; may hold a path. Undefined: the platform's own address. */
  readonly baseUrl: string | undefined;
  readonly groupIds: readonly GroupId[];
  /** Requests at once; 0 means unlimited. */
  readonly concurrency: number;
  /** Lower is used first. */
  readonly priority: number;
  /** Requested model, or a pattern ending in `*`, to the model that is sent. Undefined: every model as asked. */
  readonly modelMapping: Readonly<Record<string, string>> | undefined;
  /** Milliseconds since the Unix epoch; undefined: never. From then on it is not used, unless told otherwise. */
  readonly expiresAtMs: number | undefined;
  /** What its load is measured against; its concurrency unless told otherwise, and at least 1. */
  readonly loadFactor: number;
  /** What the list price of a request is multiplied with to be the operator's own cost, in parts per billion. */
  readonly rateMultiplierNanos: bigint;
  readonly quota: AccountQuota | undefined;
  readonly windowCost: WindowCostLimit | undefined;
  readonly rpm: RpmLimit | undefined;
  readonly sessions: SessionLimit | undefined;
  /** Undefined: as the setting says. */
  readonly userMessageQueue: QueueMode | undefined;
  /** Warm-up requests of coding assistants are answered here and not sent on. */
  readonly interceptsWarmup: boolean;
  readonly unschedulableRules: readonly UnschedulableRule[];
  /** When given, only error answers with these statuses change the account's state; empty: every one does, for good. */
  readonly handledStatuses: readonly number[] | undefined;
  /** Behind the address is a pool of its own: errors say nothing about this account, and a retry may meet another. */
  readonly isPool: boolean;
  /** The credential that is sent upstream. */
  readonly credential: Secret;
}
