import { Elysia, type Static } from "elysia";
import type { UserId } from "#domain/ids.ts";
import { fieldProblem } from "#http/problem.ts";
import { UserStatus } from "#http/schemas/live-status.ts";
import { BalanceMovement, UserChange, UserCreate, UserShown } from "#http/schemas/user.ts";
import type { UserRow } from "#storage/repositories/users.ts";
import type { AdminOptions } from "./admin-options.ts";
import { liveStatus } from "./live-status.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { done, type Outcome, outcomeOf, refused } from "./outcome.ts";
import { announce, type Resource, resourceRoutes } from "./resource.ts";
import { decimalOf, given, nanosOf, timestampsOf } from "./wire.ts";

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
    .use(userActions(options));
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
      remove: "Refused while the user has API keys. What it used stays on record.",
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

function userActions(options: AdminOptions) {
  const operation = adminOperations(options);
  return new Elysia({ prefix: PATH })
    .post(
      "/:id/balance",
      ...operation(
        {
          tag: "users",
          summary: "Move a balance",
          description: "Adds to the balance or takes from it, whatever is booked at the same time.",
          hasId: true,
          body: BalanceMovement,
          example: { amount_usd: "25", reason: "invoice 2027-001" },
          success: { status: 200, description: "The user as it is now", schema: UserShown },
          problems: [422],
        },
        async ({ id, body }) => {
          const moved = await moveBalance(options, id as UserId, body);
          return moved.ok ? respondJson(200, showUser(moved.result)) : moved.problem;
        },
      ),
    )
    .get(
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
          return respondJson(200, liveStatus(options, { kind: "user", id }, row));
        },
      ),
    );
}

async function moveBalance(
  options: AdminOptions,
  id: UserId,
  { amount_usd, reason }: Static<typeof BalanceMovement>,
): Promise<Outcome<UserRow>> {
  const moved = outcomeOf(await options.storage.users.addToBalance(id, nanosOf(amount_usd)), "user");
  if (!moved.ok) return refused(moved.problem);
  options.log.info("admin.balance_moved", { user_id: id, amount_usd, reason });
  await announce(options, { kind: "user", id });
  return moved;
}

function columnsOf({ name, email, status, concurrency }: Static<typeof UserChange>) {
  return given({ name, email, status, concurrency });
}

function showUser(row: UserRow): Static<typeof UserShown> {
  return {
    id: row.id,
    name: row.name,
    email: row.email,
    status: row.status,
    balance_usd: decimalOf(row.balanceNanos),
    concurrency: row.concurrency,
    ...timestampsOf(row),
  };
}
