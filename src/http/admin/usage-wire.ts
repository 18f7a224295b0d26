import { type Static, t } from "elysia";
import type { AccountId, ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import { CLOSED } from "#http/schemas/fields.ts";
import { USAGE_FILTERS, type UsageShown } from "#http/schemas/usage.ts";
import type { UsageFilter, UsageRow } from "#storage/repositories/usage.ts";
import { decimalOf, momentOf, msOf } from "./wire.ts";

/** The filters of usage on their own, as a query. */
export const UsageFilterQuery = t.Object(USAGE_FILTERS, CLOSED);

/** The filter that a query asks for. */
export function filterOf(query: Static<typeof UsageFilterQuery>): UsageFilter {
  return {
    userId: query.user_id as UserId | undefined,
    apiKeyId: query.api_key_id as ApiKeyId | undefined,
    groupId: query.group_id as GroupId | undefined,
    accountId: query.account_id as AccountId | undefined,
    subscriptionId: query.subscription_id as SubscriptionId | undefined,
    model: query.model,
    status: query.status,
    requestId: query.request_id,
    fromMs: msOf(query.from),
    toMs: msOf(query.to),
  };
}

/** A record as it is shown. */
export function showUsage(row: UsageRow): Static<typeof UsageShown> {
  return {
    id: row.id,
    request_id: row.requestId,
    user_id: row.userId,
    api_key_id: row.apiKeyId,
    group_id: row.groupId,
    account_id: row.accountId,
    model: row.model,
    upstream_model: row.upstreamModel,
    upstream_request_id: row.upstreamRequestId,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    cache_creation_tokens: row.cacheCreationTokens,
    cache_creation_5m_tokens: row.cacheCreation5mTokens,
    cache_creation_1h_tokens: row.cacheCreation1hTokens,
    cache_read_tokens: row.cacheReadTokens,
    cost_usd: decimalOf(row.costNanos),
    list_cost_usd: decimalOf(row.listCostNanos ?? row.costNanos),
    subscription_id: row.subscriptionId,
    status: row.status,
    http_status: row.httpStatus,
    stream: row.stream,
    usage_complete: row.usageComplete,
    duration_ms: row.durationMs,
    first_token_ms: row.firstTokenMs,
    attempts: row.attempts,
    created_at: momentOf(row.createdAtMs),
  };
}
