import { Elysia, type Static, t } from "elysia";
import type { UserId } from "#domain/ids.ts";
import { pageOf } from "#http/schemas/admin-detail.ts";
import { CLOSED } from "#http/schemas/fields.ts";
import { BalanceAdjustmentShown, BalanceMovement, UserShown } from "#http/schemas/user.ts";
import { newRequestId } from "#kernel/random.ts";
import type { BalanceAdjustmentRow } from "#storage/repositories/balance-adjustments.ts";
import type { UserRow } from "#storage/repositories/users.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { done, type Outcome, outcomeOf, refused } from "./outcome.ts";
import { PAGE_QUERY, respondPage } from "./page-request.ts";
import { announce } from "./resource.ts";
import { showUser } from "./user-wire.ts";
import { decimalOf, momentOf, nanosOf } from "./wire.ts";

const TAG = "users";
const REASON_DEFAULT = "adjustment";
const AdjustmentsQuery = t.Object(PAGE_QUERY, CLOSED);

const MOVEMENT_EXAMPLE = {
  amount_usd: "25",
  reason: "invoice 2027-001",
  idempotency_key: "invoice-2027-001",
} satisfies Static<typeof BalanceMovement>;

const ADJUSTMENT_EXAMPLE = {
  id: 1,
  ...MOVEMENT_EXAMPLE,
  balance_after_usd: "49.9985975",
  created_at: "2027-01-31T00:00:00.000Z",
} satisfies Static<typeof BalanceAdjustmentShown>;

const USER_EXAMPLE = {
  id: 1,
  name: "Ada Lovelace",
  email: "ada@example.com",
  status: "active",
  concurrency: 5,
  balance_usd: "49.9985975",
  created_at: "2027-01-01T00:00:00.000Z",
  updated_at: "2027-01-31T00:00:00.000Z",
} satisfies Static<typeof UserShown>;

/** `/admin/users/{id}/balance`: moves a balance, and shows how it was moved. */
export function userBalanceRoutes(options: AdminOptions) {
  return new Elysia({ prefix: "/admin/users/:id/balance" })
    .use(movementRoute(options))
    .use(adjustmentsRoute(options));
}

function movementRoute(options: AdminOptions) {
  const operation = adminOperations(options);
  return new Elysia().post(
    "",
    ...operation(
      {
        tag: TAG,
        summary: "Move a balance",
        description:
          "Adds to the balance or takes from it, whatever is booked at the same time, and keeps that on record. Safe to ask for again under the same idempotency key; refused when the key was used for anything else.",
        hasId: true,
        body: BalanceMovement,
        example: MOVEMENT_EXAMPLE,
        success: {
          status: 200,
          description: "The user as it is now",
          schema: UserShown,
          example: USER_EXAMPLE,
        },
        problems: [409, 422],
      },
      async ({ id, body }) => {
        const moved = await moveBalance(options, id as UserId, body);
        return moved.ok ? respondJson(200, showUser(moved.result)) : moved.problem;
      },
    ),
  );
}

function adjustmentsRoute(options: AdminOptions) {
  const { users, balanceAdjustments } = options.storage;
  const operation = adminOperations(options);
  return new Elysia().get(
    "",
    ...operation(
      {
        tag: TAG,
        summary: "List the movements of a balance",
        description:
          "Those that no request made, one page, newest first. They stay on record when the user is deleted.",
        hasId: true,
        query: AdjustmentsQuery,
        success: {
          status: 200,
          description: "A page",
          schema: pageOf(BalanceAdjustmentShown),
          example: { data: [ADJUSTMENT_EXAMPLE], next_cursor: null },
        },
      },
      async ({ id, query }) => {
        const userId = id as UserId;
        const isKnown =
          (await users.get(userId)) !== undefined ||
          (await balanceAdjustments.list({ userId }, { limit: 1 })).rows.length > 0;
        if (!isKnown) return { kind: "not-found" };
        return await respondPage(query, (page) => balanceAdjustments.list({ userId }, page), showAdjustment);
      },
    ),
  );
}

async function moveBalance(
  options: AdminOptions,
  userId: UserId,
  { amount_usd, reason = REASON_DEFAULT, idempotency_key }: Static<typeof BalanceMovement>,
): Promise<Outcome<UserRow>> {
  const { users, balanceAdjustments } = options.storage;
  const amountNanos = nanosOf(amount_usd);
  const idempotencyKey = idempotency_key ?? newRequestId();
  const adjustment = { userId, amountNanos, reason, idempotencyKey };
  const moved = outcomeOf(await balanceAdjustments.adjust(adjustment), "balance adjustment");
  if (!moved.ok) return moved;
  await announce(options, { kind: "user", id: userId });
  const row = await users.get(userId);
  return row === undefined ? refused({ kind: "not-found" }) : done(row);
}

function showAdjustment(row: BalanceAdjustmentRow): Static<typeof BalanceAdjustmentShown> {
  return {
    id: row.id,
    amount_usd: decimalOf(row.amountNanos),
    reason: row.reason,
    idempotency_key: row.idempotencyKey,
    balance_after_usd: decimalOf(row.balanceAfterNanos),
    created_at: momentOf(row.createdAtMs),
  };
}
