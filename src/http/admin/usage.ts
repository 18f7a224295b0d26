import { Elysia, type Static, t } from "elysia";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { listOf, pageOf } from "#http/schemas/admin-detail.ts";
import { CLOSED } from "#http/schemas/fields.ts";
import { UpstreamAttempt } from "#http/schemas/upstream-attempt.ts";
import { USAGE_FILTERS, UsageShown } from "#http/schemas/usage.ts";
import type { UsageAttemptRow, UsageFilter, UsageRepository, UsageRow } from "#storage/repositories/usage.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { PAGE_QUERY, respondPage } from "./page-request.ts";
import { decimalOf, momentOf, msOf } from "./wire.ts";

const TAG = "usage";
const UsageQuery = t.Object({ ...USAGE_FILTERS, ...PAGE_QUERY }, CLOSED);

/** Most requests that one id is looked for in: ids of upstreams may be those of several requests. */
const SAME_ID_ROWS_MAX = 100;

const ATTEMPT_EXAMPLE = {
  number: 1,
  account_id: 1,
  started_at: "2027-01-31T00:00:00.000Z",
  duration_ms: 640,
  http_status: 200,
  fault: null,
  bytes: 2_048,
  input_tokens: 12,
  output_tokens: 34,
  billed: "yes",
  reason: "completed",
} satisfies Static<typeof UpstreamAttempt>;

/** `/admin/usage`: what every client request used and cost, and what was tried for it. */
export function usageRoutes(options: AdminOptions) {
  return new Elysia({ name: "admin.usage", prefix: "/admin/usage" })
    .use(listRoute(options))
    .use(attemptsRoute(options));
}

function listRoute(options: AdminOptions) {
  const operation = adminOperations(options);
  const { storage, flushLedger } = options;
  return new Elysia().get(
    "",
    ...operation(
      {
        tag: TAG,
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

function attemptsRoute(options: AdminOptions) {
  const operation = adminOperations(options);
  const { storage, flushLedger } = options;
  return new Elysia().get(
    "/:request_id/attempts",
    ...operation(
      {
        tag: TAG,
        summary: "List the upstream attempts of a request",
        description: "One per try at an account. Empty for a request that reached none. Our ids only.",
        hasRequestId: true,
        success: {
          status: 200,
          description: "The attempts",
          schema: listOf(UpstreamAttempt, "In the order of the tries."),
          example: { data: [ATTEMPT_EXAMPLE] },
        },
      },
      async ({ requestId }) => {
        await flushLedger().catch(() => undefined);
        const attempts = await storage.usage.attempts(requestId);
        if (attempts.length === 0 && !(await isBooked(storage.usage, requestId))) {
          return { kind: "not-found" };
        }
        return respondJson(200, { data: attempts.map(showAttempt) });
      },
    ),
  );
}

/** Whether a request is on record by our own id. */
async function isBooked(usage: UsageRepository, requestId: string): Promise<boolean> {
  const { rows } = await usage.list({ requestId }, { limit: SAME_ID_ROWS_MAX });
  return rows.some((row) => row.requestId === requestId);
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

function showAttempt(row: UsageAttemptRow): Static<typeof UpstreamAttempt> {
  return {
    number: row.number,
    account_id: row.accountId,
    started_at: momentOf(row.startedAtMs),
    duration_ms: row.durationMs,
    http_status: row.httpStatus,
    fault: row.fault,
    bytes: row.bytes,
    input_tokens: row.inputTokens,
    output_tokens: row.outputTokens,
    billed: row.billed,
    reason: row.reason,
  };
}
