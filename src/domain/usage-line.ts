import { attemptLines } from "./attempt-record.ts";
import type { ApiKeyId, SubscriptionId, UserId } from "./ids.ts";
import type { UsageRecord } from "./usage-record.ts";

declare global {
  interface JSON {
    /** A text that is written into JSON as it is (https://tc39.es/proposal-json-parse-with-source/). */
    rawJSON(text: string): object;
  }
}

/** Digits of the largest number in a line, and a sign. */
const DIGITS_MAX = 20;

/** Who pays for a record, and how much. */
export interface LineCharge {
  readonly userId: UserId;
  readonly apiKeyId: ApiKeyId;
  readonly subscriptionId: SubscriptionId | undefined;
  /** Undefined: what it cost is not known. */
  readonly costNanos: number | undefined;
}

/**
 * What a line says of who pays how much. The line is not parsed: between quotes no quote stands behind a comma, so
 * the names of its own fields are found where they are, and nowhere else.
 *
 * @throws Error when the line is none of {@link usageLine}.
 */
export function chargeOf(line: string): LineCharge {
  const [userId, apiKeyId] = [numberIn(line, "user_id"), numberIn(line, "api_key_id")];
  if (userId === undefined || apiKeyId === undefined) throw new Error("the line names nobody who pays");
  return {
    userId: userId as UserId,
    apiKeyId: apiKeyId as ApiKeyId,
    subscriptionId: numberIn(line, "subscription_id") as SubscriptionId | undefined,
    costNanos: numberIn(line, "cost_nanos"),
  };
}

/** A field's number; undefined when it is null or not there. */
function numberIn(line: string, name: string): number | undefined {
  const mark = `,"${name}":`;
  const at = line.indexOf(mark);
  const value =
    at === -1 ? Number.NaN : Number.parseInt(line.slice(at + mark.length, at + mark.length + DIGITS_MAX), 10);
  return Number.isNaN(value) ? undefined : value;
}

/** Attempts of most records: none that would be told of one by one. */
const NO_ATTEMPTS: readonly object[] = [];

/**
 * A usage record as one line of JSON: the form in which it travels to the ledger and into the database. Names are
 * those of the database's columns. Written in one go, because as many small texts it would cost more than to use.
 */
export function usageLine(record: UsageRecord): string {
  const { attemptsDetail } = record;
  return JSON.stringify({
    request_id: record.requestId,
    user_id: record.userId,
    api_key_id: record.apiKeyId,
    group_id: record.groupId,
    account_id: record.accountId ?? null,
    model: record.model,
    upstream_model: record.upstreamModel,
    upstream_request_id: record.upstreamRequestId ?? null,
    input_tokens: record.inputTokens,
    output_tokens: record.outputTokens,
    cache_creation_tokens: record.cacheCreationTokens,
    cache_creation_5m_tokens: record.cacheCreation5mTokens,
    cache_creation_1h_tokens: record.cacheCreation1hTokens,
    cache_read_tokens: record.cacheReadTokens,
    cost_nanos: exactNumber(record.costNanos),
    list_cost_nanos: exactNumber(record.listCostNanos),
    account_cost_nanos: exactNumber(record.accountCostNanos),
    subscription_id: record.subscriptionId ?? null,
    status: record.status,
    http_status: record.httpStatus,
    stream: record.stream,
    usage_complete: record.usageComplete,
    duration_ms: record.durationMs,
    first_token_ms: record.firstTokenMs ?? null,
    attempts: record.attempts,
    attempts_detail: attemptsDetail.length === 0 ? NO_ATTEMPTS : attemptLines(attemptsDetail),
    created_at_ms: record.createdAtMs,
  });
}

/** An amount as JSON writes it: a number as long as that is exact, beyond it the digits themselves. */
function exactNumber(nanos: bigint | undefined): unknown {
  if (nanos === undefined) return null;
  const number = Number(nanos);
  return Number.isSafeInteger(number) ? number : JSON.rawJSON(String(nanos));
}
