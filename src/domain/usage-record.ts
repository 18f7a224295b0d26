import type { AttemptRecord } from "./attempt-record.ts";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "./ids.ts";

/** Tokens as the upstream counted them. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Total of both lifetimes. */
  readonly cacheCreationTokens: number;
  readonly cacheCreation5mTokens: number;
  readonly cacheCreation1hTokens: number;
  readonly cacheReadTokens: number;
}

/** Nothing counted. */
export const NO_USAGE: TokenUsage = Object.freeze({
  inputTokens: 0,
  outputTokens: 0,
  cacheCreationTokens: 0,
  cacheCreation5mTokens: 0,
  cacheCreation1hTokens: 0,
  cacheReadTokens: 0,
});

/**
 * How a request ended: `completed` whole; `client_gone` the client left; `upstream_broke` cut or reset;
 * `upstream_stalled` silent beyond the limit; `exhausted` ended because nothing was left to pay for the rest;
 * `failed` refused, or without an answer from any account.
 */
export const USAGE_STATUSES = [
  "completed",
  "client_gone",
  "upstream_broke",
  "upstream_stalled",
  "exhausted",
  "failed",
] as const;
export type UsageStatus = (typeof USAGE_STATUSES)[number];

/** What one client request used and cost: exactly one per request that passed admission. */
export interface UsageRecord extends TokenUsage {
  readonly requestId: string;
  readonly userId: UserId;
  readonly apiKeyId: ApiKeyId;
  readonly groupId: GroupId;
  readonly accountId: AccountId | undefined;
  /** As the client asked. */
  readonly model: string;
  /** As it was sent. */
  readonly upstreamModel: string;
  readonly upstreamRequestId: string | undefined;
  /** Undefined: the model has no known price. */
  readonly costNanos: bigint | undefined;
  /** What it would have cost at a multiplier of 1; undefined: as the cost. */
  readonly listCostNanos?: bigint | undefined;
  /** What the request cost the operator through its account; undefined: as much as the user. */
  readonly accountCostNanos: bigint | undefined;
  /** What pays: this subscription, or the user's balance when undefined. */
  readonly subscriptionId: SubscriptionId | undefined;
  readonly status: UsageStatus;
  /** The HTTP status the client was given; 499 when it left first. */
  readonly httpStatus: number;
  readonly stream: boolean;
  /** False when the upstream never reported final usage and the tokens are what was seen so far. */
  readonly usageComplete: boolean;
  readonly durationMs: number;
  readonly firstTokenMs: number | undefined;
  readonly attempts: number;
  /** What became of each attempt, as far as that is known. */
  readonly attemptsDetail: readonly AttemptRecord[];
  /** Milliseconds since the Unix epoch, when the request arrived. */
  readonly createdAtMs: number;
}
