import type { FaultCode } from "#kernel/fault-codes.ts";
import type { AccountId } from "./ids.ts";

/** Whether the upstream bills an attempt, as far as its answer tells. */
export type UpstreamBilled = "yes" | "no" | "unknown";

/** One try of a client request at one account. */
export interface AttemptRecord {
  /** From 1, in the order of the tries. */
  readonly number: number;
  readonly accountId: AccountId;
  /** Milliseconds since the Unix epoch. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  /** Undefined: the upstream did not answer. */
  readonly httpStatus: number | undefined;
  /** Undefined: nothing went wrong. */
  readonly fault: FaultCode | undefined;
  /** Of the answer's body, as far as it came. */
  readonly bytes: number;
  /** Tokens seen, all kinds of input together. */
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly billed: UpstreamBilled;
  /** Why it ended. */
  readonly reason: string;
}

/** Attempts in the form that is written as JSON, named as the columns they are kept in. */
export function attemptLines(attempts: readonly AttemptRecord[]): readonly object[] {
  return attempts.map((attempt) => ({
    number: attempt.number,
    account_id: attempt.accountId,
    started_at_ms: attempt.startedAtMs,
    duration_ms: attempt.durationMs,
    http_status: attempt.httpStatus,
    fault: attempt.fault,
    bytes: attempt.bytes,
    input_tokens: attempt.inputTokens,
    output_tokens: attempt.outputTokens,
    billed: attempt.billed,
    reason: attempt.reason,
  }));
}
