import { Elysia, type Static, t } from "elysia";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { pageOf } from "#http/schemas/admin-detail.ts";
import { CLOSED } from "#http/schemas/fields.ts";
import { USAGE_FILTERS, UsageShown } from "#http/schemas/usage.ts";
import type { UsageFilter, UsageRow } from "#storage/repositories/usage.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations } from "./operation.ts";
import { PAGE_QUERY, respondPage } from "./page-request.ts";
import { decimalOf, momentOf, msOf } from "./wire.ts";

const UsageQuery = t.Object({ ...USAGE_FILTERS, ...PAGE_QUERY }, CLOSED);

/** `GET /admin/usage`: what every client request used and cost. */
export function usageRoutes(options: AdminOptions) {
  const operation = adminOperations(options);
  const { storage, flushLedger } = options;
  return new Elysia({ name: "admin.usage", prefix: "/admin" }).get(
    "/usage",
    ...operation(
      {
        tag: "usage",
        summary: "List usage",
        description:
          "One row per client request, newest first; those that fit every filter given. What ended before the question was asked is in the answer.",
        query: UsageQuery,
        success: { status: 200, description: "A page", schema: pageOf(UsageShown) },
      },
      async ({ query }) => {
        // A ledger that cannot book just now must not hide what it has booked before.
        await flushLedger().catch(() => undefined);
        return await respondPage(query, (page) => storage.usage.list(filterOf(query), page), showUsage);
      },
    ),
  );
}

function filterOf(query: Static<typeof UsageQuery>): UsageFilter {
  return {
    userId: query.user_id as UserId | undefined,
    apiKeyId: query.api_key_id as ApiKeyId | undefined,
    groupId: query.group_id as GroupId | undefined,
    accountId: query.account_id as AccountId | undefined,
    model: query.model,
    status: query.status,
    requestId: query.request_id,
    fromMs: msOf(query.from),
    toMs: msOf(query.to),
  };
}

function showUsage(row: UsageRow): Static<typeof UsageShown> {
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
