import { Elysia, type Static } from "elysia";
import type { UserId } from "#domain/ids.ts";
import { fieldProblem } from "#http/problem.ts";
import { UserStatus } from "#http/schemas/live-status.ts";
import { UserChange, UserCreate, UserShown } from "#http/schemas/user.ts";
import type { UserRow } from "#storage/repositories/users.ts";
import type { AdminOptions } from "./admin-options.ts";
import { liveStatus } from "./live-status.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { done, outcomeOf, refused } from "./outcome.ts";
import { type Resource, resourceRoutes } from "./resource.ts";
import { userBalanceRoutes } from "./user-balance.ts";
import { userRateRoutes } from "./user-rates.ts";
import { showUser } from "./user-wire.ts";
import { given, nanosOf } from "./wire.ts";

const PATH = "/admin/users";

/** Setting a balance would undo what is booked between reading it and writing it. */
const BALANCE_PROBLEM = fieldProblem(
  "invalid-request",
  "/balance_usd",
  `cannot be set; balances move by POST ${PATH}/{id}/balance`,
);

/** `/admin/users`: the people and programs that pay. */
export function userRoutes(options: AdminOptions) {
  return new Elysia({ name: "admin.users" })
    .use(resourceRoutes(options, userResource(options)))
    .use(statusRoute(options))
    .use(userBalanceRoutes(options))
    .use(userRateRoutes(options));
}

function userResource({ storage: { users } }: AdminOptions) {
  return {
    kind: "user",
    noun: "user",
    path: PATH,
    tag: "users",
    schemas: { shown: UserShown, create: UserCreate, change: UserChange },
    example: { name: "Ada Lovelace", email: "ada@example.com", balance_usd: "25", concurrency: 5 },
    notes: {
      create: "A new user has no API key yet.",
      change: `Balances move by \`POST ${PATH}/{id}/balance\`.`,
      remove:
        "Refused while the user has API keys. Its subscriptions go with it; what it used stays on record.",
    },
    show: showUser,
    list: (page) => users.list(page),
    get: (id) => users.get(id as UserId),
    create: async (body) => {
      const balanceNanos = nanosOf(body.balance_usd);
      const created = outcomeOf(
        await users.create({ ...columnsOf(body), name: body.name, balanceNanos }),
        "user",
      );
      return created.ok ? done(showUser(created.result)) : created;
    },
    change: async (id, body) => {
      if (Object.hasOwn(body, "balance_usd")) return refused(BALANCE_PROBLEM);
      return outcomeOf(await users.update(id as UserId, columnsOf(body)), "user");
    },
    remove: (id) => users.delete(id as UserId),
  } satisfies Resource<UserRow, typeof UserCreate, typeof UserChange>;
}

function statusRoute(options: AdminOptions) {
  const operation = adminOperations(options);
  return new Elysia({ prefix: PATH }).get(
    "/:id/status",
    ...operation(
      {
        tag: "users",
        summary: "Show how busy a user is",
        description: "Live, over all threads.",
        hasId: true,
        success: { status: 200, description: "As of now", schema: UserStatus },
      },
      async ({ id }) => {
        const row = await options.storage.users.get(id as UserId);
        if (row === undefined) return { kind: "not-found" };
        return respondJson(200, await liveStatus(options, { kind: "user", id }, row));
      },
    ),
  );
}

function columnsOf({ name, email, status, concurrency }: Static<typeof UserChange>) {
  return given({ name, email, status, concurrency });
}
