import { attemptLines } from "./attempt-record.ts";
import type { ApiKeyId, SubscriptionId, UserId } from "./ids.ts";
import type { UsageRecord } from "./usage-record.ts";

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

/**
 * A usage record as one line of JSON: the form in which it travels to the ledger and into the database.
 * Written by hand because it is written once per request; names are those of the database's columns.
 */
export function usageLine(record: UsageRecord): string {
  const { costNanos, listCostNanos, accountCostNanos, subscriptionId } = record;
  const { accountId, upstreamRequestId, firstTokenMs } = record;
  return (
    `{"request_id":${JSON.stringify(record.requestId)},"user_id":${record.userId}` +
    `,"api_key_id":${record.apiKeyId},"group_id":${record.groupId},"account_id":${accountId ?? null}` +
    `,"model":${JSON.stringify(record.model)},"upstream_model":${JSON.stringify(record.upstreamModel)}` +
    `,"upstream_request_id":${upstreamRequestId === undefined ? null : JSON.stringify(upstreamRequestId)}` +
    `,"input_tokens":${record.inputTokens},"output_tokens":${record.outputTokens}` +
    `,"cache_creation_tokens":${record.cacheCreationTokens}` +
    `,"cache_creation_5m_tokens":${record.cacheCreation5mTokens}` +
    `,"cache_creation_1h_tokens":${record.cacheCreation1hTokens}` +
    `,"cache_read_tokens":${record.cacheReadTokens},"cost_nanos":${costNanos ?? null}` +
    `,"list_cost_nanos":${listCostNanos ?? null}` +
    `,"account_cost_nanos":${accountCostNanos ?? null},"subscription_id":${subscriptionId ?? null}` +
    `,"status":"${record.status}","http_status":${record.httpStatus},"stream":${record.stream}` +
    `,"usage_complete":${record.usageComplete},"duration_ms":${record.durationMs}` +
    `,"first_token_ms":${firstTokenMs ?? null},"attempts":${record.attempts}` +
    `,"attempts_detail":${record.attemptsDetail.length === 0 ? "[]" : attemptLines(record.attemptsDetail)}` +
    `,"created_at_ms":${record.createdAtMs}}`
  );
}
