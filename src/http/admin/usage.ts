import { Elysia, type Static, t } from "elysia";
import { listOf, pageOf } from "#http/schemas/admin-detail.ts";
import { CLOSED } from "#http/schemas/fields.ts";
import { UpstreamAttempt } from "#http/schemas/upstream-attempt.ts";
import { USAGE_FILTERS, UsageShown } from "#http/schemas/usage.ts";
import type {
  UsageAttemptRow,
  UsagePageRequest,
  UsagePlace,
  UsageRepository,
} from "#storage/repositories/usage.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { type CursorForm, PAGE_QUERY, respondPlacedPage } from "./page-request.ts";
import { aggregateRoute } from "./usage-aggregates.ts";
import { exportRoute } from "./usage-export.ts";
import { filterOf, showUsage } from "./usage-wire.ts";
import { momentOf } from "./wire.ts";

const TAG = "usage";
const UsageQuery = t.Object({ ...USAGE_FILTERS, ...PAGE_QUERY }, CLOSED);

/** A time and an id. */
const PLACE = /^(\d{1,15})\.(\d{1,16})$/;
const PLACE_CURSORS: CursorForm<UsagePlace> = {
  write: ({ createdAtMs, id }) => `${createdAtMs}.${id}`,
  read: (text) => {
    const [, createdAtMs, id] = PLACE.exec(text) ?? [];
    return id === undefined ? undefined : { createdAtMs: Number(createdAtMs), id: Number(id) };
  },
};

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
    .use(aggregateRoute(options))
    .use(exportRoute(options))
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
        const list = (page: UsagePageRequest) => storage.usage.list(filterOf(query), page);
        return await respondPlacedPage(query, list, showUsage, PLACE_CURSORS);
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
