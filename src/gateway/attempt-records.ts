import type { AttemptRecord, UpstreamBilled } from "#domain/attempt-record.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Fault } from "#kernel/fault.ts";
import type { AttemptLog, StreamEnding } from "./call-stages.ts";

/** How much of the reason why an attempt ended is kept, in characters. */
const REASON_LENGTH_MAX = 200;

/** The record of an attempt that gave no answer. `nowMs` in milliseconds since the Unix epoch. */
export function failedAttempt(
  { count, lastStartedAtMs }: AttemptLog,
  accountId: AccountId,
  fault: Fault,
  nowMs: number,
): AttemptRecord {
  const { upstream } = fault;
  return {
    number: count,
    accountId,
    startedAtMs: lastStartedAtMs,
    durationMs: Math.max(0, nowMs - lastStartedAtMs),
    httpStatus: upstream?.status,
    fault: fault.code,
    bytes: upstream?.body.length ?? 0,
    inputTokens: 0,
    outputTokens: 0,
    // An error answer is not billed; what ended without one may have been worked on.
    billed: fault.isUnprocessed || upstream !== undefined ? "no" : "unknown",
    reason: fault.message.slice(0, REASON_LENGTH_MAX),
  };
}

/** One record per attempt of a request that got an answer: those that failed, and the one that was answered. */
export function attemptRecords(
  { failed, count, lastAccount, lastStartedAtMs }: AttemptLog,
  { bytes, status, usage }: StreamEnding,
  durationMs: number,
  httpStatus: number,
): readonly AttemptRecord[] {
  if (lastAccount === undefined) return failed;
  const inputTokens = usage.inputTokens + usage.cacheCreationTokens + usage.cacheReadTokens;
  const hasTokens = inputTokens + usage.outputTokens > 0;
  const billed: UpstreamBilled = hasTokens ? "yes" : "unknown";
  return [
    ...failed,
    {
      number: count,
      accountId: lastAccount.id,
      startedAtMs: lastStartedAtMs,
      durationMs: Math.max(0, Math.round(durationMs)),
      httpStatus,
      fault: undefined,
      bytes,
      inputTokens,
      outputTokens: usage.outputTokens,
      billed,
      reason: status,
    },
  ];
}
