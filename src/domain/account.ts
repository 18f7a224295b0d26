import type { Secret } from "#kernel/secret.ts";
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
  /** Milliseconds since the Unix epoch; undefined: never. */
  readonly expiresAtMs: number | undefined;
  /** The credential that is sent upstream. */
  readonly credential: Secret;
}
