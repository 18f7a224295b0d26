import { Elysia, type Static } from "elysia";
import type { BindingFilter } from "#coordination/session-bindings.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { StickyFlushed, StickyQuery } from "#http/schemas/sticky.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { given } from "./wire.ts";

/** `DELETE /admin/sticky`: lets conversations choose their accounts anew. */
export function stickyRoutes(options: AdminOptions) {
  const operation = adminOperations(options);
  return new Elysia({ name: "admin.sticky", prefix: "/admin" }).delete(
    "/sticky",
    ...operation(
      {
        tag: "sticky",
        summary: "Drop bindings of conversations to accounts",
        description:
          "Those that fit every filter given; without one, all of them. Requests that are under way are finished; the next one of a conversation chooses its account anew.",
        query: StickyQuery,
        success: {
          status: 200,
          description: "How many were dropped",
          schema: StickyFlushed,
          example: { flushed: 12 },
        },
      },
      async ({ query }) => respondJson(200, { flushed: await options.sessions.flush(filterOf(query)) }),
    ),
  );
}

function filterOf(query: Static<typeof StickyQuery>): BindingFilter {
  return given({
    groupId: query.group_id as GroupId | undefined,
    accountId: query.account_id as AccountId | undefined,
  });
}
