import { attemptLines } from "./attempt-record.ts";
import type { UsageRecord } from "./usage-record.ts";

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
