import { Elysia, type Static } from "elysia";
import type { GroupId, UserId } from "#domain/ids.ts";
import { listOf } from "#http/schemas/admin-detail.ts";
import { UserRate, UserRateQuery } from "#http/schemas/user.ts";
import type { UserGroupRateRow } from "#storage/repositories/users.ts";
import type { Written } from "#storage/written.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { type Outcome, outcomeOf, refused } from "./outcome.ts";
import { announce } from "./resource.ts";
import { decimalOf, nanosOf } from "./wire.ts";

const TAG = "users";
const NOUN = "rate";
const EXAMPLE = { group_id: 1, rate_multiplier: "0.8" } satisfies Static<typeof UserRate>;

/** `/admin/users/{id}/rates`: what a user's costs are multiplied with where that differs from the group's own. */
export function userRateRoutes(options: AdminOptions) {
  return new Elysia({ prefix: "/admin/users/:id/rates" })
    .use(listRoute(options))
    .use(setRoute(options))
    .use(removeRoute(options));
}

function listRoute(options: AdminOptions) {
  const { users } = options.storage;
  const operation = adminOperations(options);
  return new Elysia().get(
    "",
    ...operation(
      {
        tag: TAG,
        summary: "List a user's own rates",
        description: "All of them. In other groups the group's own multiplier holds.",
        hasId: true,
        success: {
          status: 200,
          description: "The rates",
          schema: listOf(UserRate, "By group."),
          example: { data: [EXAMPLE] },
        },
      },
      async ({ id }) => {
        if ((await users.get(id as UserId)) === undefined) return { kind: "not-found" };
        return respondJson(200, { data: (await users.groupRates(id as UserId)).map(showRate) });
      },
    ),
  );
}

function setRoute(options: AdminOptions) {
  const { users } = options.storage;
  const operation = adminOperations(options);
  return new Elysia().post(
    "",
    ...operation(
      {
        tag: TAG,
        summary: "Set a user's own rate in a group",
        description: "Replaces the one that the user had in this group, if any. Holds for requests to come.",
        hasId: true,
        body: UserRate,
        example: EXAMPLE,
        success: { status: 200, description: "The rate as it is now", schema: UserRate, example: EXAMPLE },
        problems: [422],
      },
      async ({ id, body }) => {
        const rate = {
          userId: id as UserId,
          groupId: body.group_id as GroupId,
          rateMultiplierNanos: nanosOf(body.rate_multiplier),
        };
        const set = rateOutcome(await users.setGroupRate(rate));
        if (!set.ok) return set.problem;
        await announce(options, { kind: "user", id });
        return respondJson(200, showRate(set.result));
      },
    ),
  );
}

function removeRoute(options: AdminOptions) {
  const { users } = options.storage;
  const operation = adminOperations(options);
  return new Elysia().delete(
    "",
    ...operation(
      {
        tag: TAG,
        summary: "Remove a user's own rate in a group",
        description: "From then on the group's own multiplier holds for the user too.",
        hasId: true,
        query: UserRateQuery,
        success: { status: 204, description: "Removed" },
      },
      async ({ id, query }) => {
        const removed = outcomeOf(await users.deleteGroupRate(id as UserId, query.group_id as GroupId), NOUN);
        if (!removed.ok) return removed.problem;
        await announce(options, { kind: "user", id });
        return new Response(null, { status: 204 });
      },
    ),
  );
}

/** The user is named by the path and not by the body, so one that does not exist is no wrong field. */
function rateOutcome(written: Written<UserGroupRateRow>): Outcome<UserGroupRateRow> {
  const isUserUnknown = !written.ok && written.conflict.subject === "user_id";
  return isUserUnknown ? refused({ kind: "not-found" }) : outcomeOf(written, NOUN);
}

function showRate({ groupId, rateMultiplierNanos }: UserGroupRateRow): Static<typeof UserRate> {
  return { group_id: groupId, rate_multiplier: decimalOf(rateMultiplierNanos) };
}
