import type { Static } from "elysia";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { GroupChange, GroupCreate, GroupShown } from "#http/schemas/group.ts";
import type { GroupRow } from "#storage/repositories/groups.ts";
import type { Storage } from "#storage/storage.ts";
import type { AdminOptions } from "./admin-options.ts";
import { fallbackProblem, routingProblem, subscribersProblem } from "./group-checks.ts";
import { done, type Outcome, outcomeOf, refused } from "./outcome.ts";
import { type Resource, resourceRoutes } from "./resource.ts";
import { decimalOf, given, nanosOf, timestampsOf } from "./wire.ts";

/** `/admin/groups`: the pools of accounts that API keys draw from. */
export function groupRoutes(options: AdminOptions) {
  return resourceRoutes(options, groupResource(options));
}

function groupResource({ storage }: AdminOptions) {
  const { groups } = storage;
  return {
    kind: "group",
    noun: "group",
    path: "/admin/groups",
    tag: "groups",
    schemas: { shown: GroupShown, create: GroupCreate, change: GroupChange },
    example: { name: "Anthropic", platform: "anthropic", rate_multiplier: "1" },
    notes: {
      create: "A group serves its keys once it has accounts of its platform.",
      change:
        "The platform stays as it is, because accounts and keys depend on it, and so does the type of a group with subscriptions.",
      remove: "Refused while API keys, accounts, subscriptions or other groups use it.",
    },
    show: showGroup,
    list: (page) => groups.list(page),
    get: (id) => groups.get(id as GroupId),
    create: (body) => createGroup(storage, body),
    change: (id, body) => changeGroup(storage, id as GroupId, body),
    remove: (id) => groups.delete(id as GroupId),
  } satisfies Resource<GroupRow, typeof GroupCreate, typeof GroupChange>;
}

async function createGroup(
  { groups, accounts }: Storage,
  body: Static<typeof GroupCreate>,
): Promise<Outcome<Static<typeof GroupShown>>> {
  const problem = await routingProblem(body, accounts);
  if (problem !== undefined) return refused(problem);
  const { name, platform } = body;
  const subscriptionType = body.subscription_type ?? "standard";
  return await groups.exclusively(async (locked) => {
    const objection = await fallbackProblem(body, { platform, subscriptionType }, locked);
    if (objection !== undefined) return refused(objection);
    const created = outcomeOf(await locked.create({ ...columnsOf(body), name, platform }), "group");
    return created.ok ? done(showGroup(created.result)) : created;
  });
}

async function changeGroup(
  { groups, accounts, subscriptions }: Storage,
  id: GroupId,
  body: Static<typeof GroupChange>,
): Promise<Outcome<GroupRow>> {
  const problem = await routingProblem(body, accounts);
  if (problem !== undefined) return refused(problem);
  return await groups.exclusively(async (locked) => {
    const row = await locked.get(id);
    if (row === undefined) return refused({ kind: "not-found" });
    const objection =
      (await subscribersProblem(body, row, subscriptions)) ?? (await fallbackProblem(body, row, locked));
    return objection === undefined
      ? outcomeOf(await locked.update(id, columnsOf(body)), "group")
      : refused(objection);
  });
}

function columnsOf(body: Static<typeof GroupChange>) {
  return given({
    name: body.name,
    status: body.status,
    rateMultiplierNanos: nanosOf(body.rate_multiplier),
    subscriptionType: body.subscription_type,
    dailyLimitNanos: nanosOf(body.daily_limit_usd),
    weeklyLimitNanos: nanosOf(body.weekly_limit_usd),
    monthlyLimitNanos: nanosOf(body.monthly_limit_usd),
    claudeCodeOnly: body.claude_code_only,
    fallbackGroupId: body.fallback_group_id as GroupId | null | undefined,
    fallbackGroupIdOnInvalidRequest: body.fallback_group_id_on_invalid_request as GroupId | null | undefined,
    modelRouting: body.model_routing as Record<string, AccountId[]> | null | undefined,
  });
}

function showGroup(row: GroupRow): Static<typeof GroupShown> {
  return {
    id: row.id,
    name: row.name,
    platform: row.platform,
    status: row.status,
    rate_multiplier: decimalOf(row.rateMultiplierNanos),
    subscription_type: row.subscriptionType,
    daily_limit_usd: decimalOf(row.dailyLimitNanos),
    weekly_limit_usd: decimalOf(row.weeklyLimitNanos),
    monthly_limit_usd: decimalOf(row.monthlyLimitNanos),
    claude_code_only: row.claudeCodeOnly,
    fallback_group_id: row.fallbackGroupId,
    fallback_group_id_on_invalid_request: row.fallbackGroupIdOnInvalidRequest,
    model_routing: row.modelRouting as Static<typeof GroupShown>["model_routing"],
    ...timestampsOf(row),
  };
}
