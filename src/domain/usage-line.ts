import { attemptLines } from "./attempt-record.ts";
import type { ApiKeyId, SubscriptionId, UserId } from "./ids.ts";
import type { UsageRecord } from "./usage-record.ts";

declare global {
  interface JSON {
    /** A text that is written into JSON as it is (https://tc39.es/proposal-json-parse-with-source/). */
    rawJSON(text: string): object;
  }
}

const [MINUS, ZERO, NINE] = [45, 48, 57];
const MARKS = {
  userId: mark("user_id"),
  apiKeyId: mark("api_key_id"),
  costNanos: mark("cost_nanos"),
  subscriptionId: mark("subscription_id"),
};

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
  const userAt = behind(line, MARKS.userId, 0);
  const keyAt = behind(line, MARKS.apiKeyId, userAt);
  const costAt = behind(line, MARKS.costNanos, keyAt);
  const subscriptionAt = behind(line, MARKS.subscriptionId, costAt);
  const [userId, apiKeyId] = [numberAt(line, userAt), numberAt(line, keyAt)];
  if (userId === undefined || apiKeyId === undefined) throw new Error("the line names nobody who pays");
  return {
    userId: userId as UserId,
    apiKeyId: apiKeyId as ApiKeyId,
    subscriptionId: numberAt(line, subscriptionAt) as SubscriptionId | undefined,
    costNanos: numberAt(line, costAt),
  };
}

/** What stands before a field's value, if it is not the first. */
function mark(name: string): string {
  return `,"${name}":`;
}

/** Where a field's value begins, which is behind `from` in most lines; 0 when it is not there. */
function behind(line: string, mark: string, from: number): number {
  let at = line.indexOf(mark, from);
  if (at === -1) at = line.indexOf(mark);
  return at === -1 ? 0 : at + mark.length;
}

/** The whole number there; undefined when there is none. */
function numberAt(line: string, from: number): number | undefined {
  const isNegative = line.charCodeAt(from) === MINUS;
  const first = isNegative ? from + 1 : from;
  let value = 0;
  let at = first;
  for (; at < line.length; at++) {
    const code = line.charCodeAt(at);
    if (code < ZERO || code > NINE) break;
    value = value * 10 + (code - ZERO);
  }
  if (at === first) return undefined;
  return isNegative ? -value : value;
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
