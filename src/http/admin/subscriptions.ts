import { Elysia, type Static, t } from "elysia";
import type { GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import { fieldProblem, type Problem } from "#http/problem.ts";
import { CLOSED } from "#http/schemas/fields.ts";
import {
  SUBSCRIPTION_FILTERS,
  SubscriptionChange,
  SubscriptionCreate,
  SubscriptionShown,
} from "#http/schemas/subscription.ts";
import type { SubscriptionRow } from "#storage/repositories/subscriptions.ts";
import type { Storage } from "#storage/storage.ts";
import type { Written } from "#storage/written.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { done, type Outcome, outcomeOf, refused } from "./outcome.ts";
import { PAGE_QUERY } from "./page-request.ts";
import { announce, type Resource, resourceRoutes } from "./resource.ts";
import { shownWindow } from "./shown-window.ts";
import { given, momentOf, msOf, timestampsOf } from "./wire.ts";

const PATH = "/admin/subscriptions";
const TAG = "subscriptions";
const NOUN = "subscription";
const SubscriptionQuery = t.Object({ ...SUBSCRIPTION_FILTERS, ...PAGE_QUERY }, CLOSED);

const EXAMPLE = { user_id: 1, group_id: 2, expires_at: "2027-03-01T00:00:00.000Z" };

const SHOWN_EXAMPLE = {
  id: 1,
  user_id: 1,
  group_id: 2,
  status: "active",
  starts_at: "2027-01-31T00:00:00.000Z",
  expires_at: "2027-03-01T00:00:00.000Z",
  daily_usage_usd: "0",
  daily_started_at: null,
  daily_reset_at: null,
  weekly_usage_usd: "0",
  weekly_started_at: null,
  weekly_reset_at: null,
  monthly_usage_usd: "0",
  monthly_started_at: null,
  monthly_reset_at: null,
  created_at: "2027-01-31T00:00:00.000Z",
  updated_at: "2027-01-31T00:00:00.000Z",
} satisfies Static<typeof SubscriptionShown>;

/** `/admin/subscriptions`: who may spend in which group of subscriptions, and until when. */
export function subscriptionRoutes(options: AdminOptions) {
  return new Elysia({ name: "admin.subscriptions" })
    .use(resourceRoutes(options, subscriptionResource(options)))
    .use(resetRoute(options));
}

function subscriptionResource({ storage, clock }: AdminOptions) {
  const { subscriptions } = storage;
  return {
    kind: "subscription",
    noun: NOUN,
    path: PATH,
    tag: TAG,
    schemas: {
      shown: SubscriptionShown,
      create: SubscriptionCreate,
      change: SubscriptionChange,
      query: SubscriptionQuery,
    },
    example: EXAMPLE,
    notes: {
      create: "A user has at most one in a group that is not cancelled. The group must be of subscriptions.",
      change: "Its user and its group stay as they are. What its windows hold stays too.",
      remove: "What it paid for stays on record.",
    },
    show: (row) => showSubscription(row, clock.now()),
    list: (page, { user_id, group_id, status }) => {
      const userId = user_id as UserId | undefined;
      return subscriptions.list({ userId, groupId: group_id as GroupId | undefined, status }, page);
    },
    get: (id) => subscriptions.get(id as SubscriptionId),
    create: async (body) => {
      const created = await createSubscription(storage, body, clock.now());
      return created.ok ? done(showSubscription(created.result, clock.now())) : created;
    },
    change: (id, body) => changeSubscription(storage, id as SubscriptionId, body),
    remove: (id) => subscriptions.delete(id as SubscriptionId),
  } satisfies Resource<
    SubscriptionRow,
    typeof SubscriptionCreate,
    typeof SubscriptionChange,
    typeof SubscriptionQuery
  >;
}

function resetRoute(options: AdminOptions) {
  const { storage, clock } = options;
  const operation = adminOperations(options);
  return new Elysia({ prefix: PATH }).post(
    "/:id/reset",
    ...operation(
      {
        tag: TAG,
        summary: "Reset the windows of a subscription",
        description: "Nothing counts as used any more; each window begins anew with the next cost.",
        hasId: true,
        success: {
          status: 200,
          description: "The subscription as it is now",
          schema: SubscriptionShown,
          example: SHOWN_EXAMPLE,
        },
      },
      async ({ id }) => {
        const reset = outcomeOf(await storage.subscriptions.resetWindows(id as SubscriptionId), NOUN);
        if (!reset.ok) return reset.problem;
        await announce(options, { kind: "subscription", id });
        return respondJson(200, showSubscription(reset.result, clock.now()));
      },
    ),
  );
}

async function createSubscription(
  { groups, subscriptions }: Storage,
  body: Static<typeof SubscriptionCreate>,
  nowMs: number,
): Promise<Outcome<SubscriptionRow>> {
  const userId = body.user_id as UserId;
  const groupId = body.group_id as GroupId;
  const startsAtMs = msOf(body.starts_at) ?? nowMs;
  const expiresAtMs = msOf(body.expires_at);
  const problem = orderProblem(startsAtMs, expiresAtMs, "/expires_at");
  if (problem !== undefined) return refused(problem);
  const group = await groups.get(groupId);
  if (group !== undefined && group.subscriptionType !== "subscription") {
    return refused(fieldProblem("unprocessable", "/group_id", "names a group without subscriptions"));
  }
  return subscriptionOutcome(await subscriptions.create({ userId, groupId, startsAtMs, expiresAtMs }));
}

async function changeSubscription(
  { subscriptions }: Storage,
  id: SubscriptionId,
  body: Static<typeof SubscriptionChange>,
): Promise<Outcome<SubscriptionRow>> {
  const row = await subscriptions.get(id);
  if (row === undefined) return refused({ kind: "not-found" });
  const startsAtMs = msOf(body.starts_at);
  const expiresAtMs = msOf(body.expires_at);
  if (startsAtMs !== undefined || expiresAtMs !== undefined) {
    const path = expiresAtMs === undefined ? "/starts_at" : "/expires_at";
    const problem = orderProblem(startsAtMs ?? row.startsAtMs, expiresAtMs ?? row.expiresAtMs, path);
    if (problem !== undefined) return refused(problem);
  }
  const change = given({ status: body.status, startsAtMs, expiresAtMs });
  return subscriptionOutcome(await subscriptions.update(id, change));
}

function orderProblem(startsAtMs: number, expiresAtMs: number, path: string): Problem | undefined {
  if (startsAtMs < expiresAtMs) return undefined;
  const message =
    path === "/expires_at" ? "must be after the subscription starts" : "must be before expires_at";
  return fieldProblem("unprocessable", path, message);
}

/** What must be unique is not one column but that of which the user has one already, so it is said in words. */
function subscriptionOutcome(written: Written<SubscriptionRow>): Outcome<SubscriptionRow> {
  if (written.ok || written.conflict.kind !== "duplicate") return outcomeOf(written, NOUN);
  return refused({
    kind: "conflict",
    detail: "The user has a subscription in this group already that is not cancelled",
  });
}

function showSubscription(row: SubscriptionRow, nowMs: number): Static<typeof SubscriptionShown> {
  const day = shownWindow(row, "1d", nowMs);
  const week = shownWindow(row, "7d", nowMs);
  const month = shownWindow(row, "30d", nowMs);
  return {
    id: row.id,
    user_id: row.userId,
    group_id: row.groupId,
    status: row.status,
    starts_at: momentOf(row.startsAtMs),
    expires_at: momentOf(row.expiresAtMs),
    daily_usage_usd: day.usedUsd,
    daily_started_at: day.startedAt,
    daily_reset_at: day.resetAt,
    weekly_usage_usd: week.usedUsd,
    weekly_started_at: week.startedAt,
    weekly_reset_at: week.resetAt,
    monthly_usage_usd: month.usedUsd,
    monthly_started_at: month.startedAt,
    monthly_reset_at: month.resetAt,
    ...timestampsOf(row),
  };
}
