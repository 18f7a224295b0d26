import { Elysia, type Static, t } from "elysia";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { fieldProblem } from "#http/problem.ts";
import { listOf } from "#http/schemas/admin-detail.ts";
import { CLOSED } from "#http/schemas/fields.ts";
import { AGGREGATE_QUERY, UsageAggregateShown } from "#http/schemas/usage.ts";
import { isoTime } from "#kernel/clock.ts";
import type { AggregateBy, UsageAggregate } from "#storage/repositories/usage-aggregates.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { decimalOf } from "./wire.ts";

const AggregateQuery = t.Object(AGGREGATE_QUERY, CLOSED);
const LIMIT_DEFAULT = 100;
const DAYS_DEFAULT = 30;
const DAY_MS = 86_400_000;

const EXAMPLE = {
  day: "2027-01-31",
  requests: 120,
  errors: 2,
  input_tokens: 54_000,
  output_tokens: 21_000,
  cache_creation_tokens: 8_000,
  cache_creation_5m_tokens: 8_000,
  cache_creation_1h_tokens: 0,
  cache_read_tokens: 310_000,
  total_tokens: 393_000,
  cost_usd: "0.6",
  list_cost_usd: "0.5",
  account_cost_usd: "0.5",
} satisfies Static<typeof UsageAggregateShown>;

/** `GET /admin/usage/aggregates`: what usage adds up to. */
export function aggregateRoute(options: AdminOptions) {
  const operation = adminOperations(options);
  const { storage, flushLedger, clock } = options;
  return new Elysia().get(
    "/aggregates",
    ...operation(
      {
        tag: "usage",
        summary: "Add usage up",
        description:
          "By whole UTC days, from sums that are kept with every booking and stay when the rows are dropped. Each sum carries the field it is `by`.",
        query: AggregateQuery,
        success: {
          status: 200,
          description: "The sums",
          schema: listOf(UsageAggregateShown, "By day the newest first, else the dearest first."),
          example: { data: [EXAMPLE] },
        },
      },
      async ({ query }) => {
        const { by, to, limit = LIMIT_DEFAULT } = query;
        const from = query.from ?? firstDay(to === undefined ? clock.now() : Date.parse(to));
        if (to !== undefined && from > to) {
          return fieldProblem("invalid-request", "/from", "must not be after `to`");
        }
        // A ledger that cannot book just now must not hide what it has booked before.
        await flushLedger().catch(() => undefined);
        const sums = await storage.usageAggregates.list(by, filterOf({ ...query, from }), limit);
        return respondJson(200, { data: sums.map((sum) => showAggregate(by, sum)) });
      },
    ),
  );
}

/** The first of so many days of which a moment is in the last. */
function firstDay(lastMs: number): string {
  return isoTime(lastMs - (DAYS_DEFAULT - 1) * DAY_MS).slice(0, "YYYY-MM-DD".length);
}

function filterOf(query: Static<typeof AggregateQuery>) {
  return {
    userId: query.user_id as UserId | undefined,
    apiKeyId: query.api_key_id as ApiKeyId | undefined,
    groupId: query.group_id as GroupId | undefined,
    accountId: query.account_id as AccountId | undefined,
    model: query.model,
    fromDay: query.from,
    toDay: query.to,
  };
}

function showAggregate(by: AggregateBy, sum: UsageAggregate): Static<typeof UsageAggregateShown> {
  return {
    ...showSubject(by, sum.of),
    requests: sum.requests,
    errors: sum.errors,
    input_tokens: sum.inputTokens,
    output_tokens: sum.outputTokens,
    cache_creation_tokens: sum.cacheCreationTokens,
    cache_creation_5m_tokens: sum.cacheCreation5mTokens,
    cache_creation_1h_tokens: sum.cacheCreation1hTokens,
    cache_read_tokens: sum.cacheReadTokens,
    total_tokens: sum.totalTokens,
    cost_usd: decimalOf(sum.costNanos),
    list_cost_usd: decimalOf(sum.listCostNanos),
    account_cost_usd: decimalOf(sum.accountCostNanos),
  };
}

function showSubject(by: AggregateBy, of: string): Partial<Static<typeof UsageAggregateShown>> {
  switch (by) {
    case "day":
    case "model":
      return { [by]: of };
    case "account":
      return { account_id: of === "0" ? null : Number(of) };
    default:
      return { [`${by}_id`]: Number(of) };
  }
}
