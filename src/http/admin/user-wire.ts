import type { Static } from "elysia";
import type { UserShown } from "#http/schemas/user.ts";
import type { UserRow } from "#storage/repositories/users.ts";
import { decimalOf, timestampsOf } from "./wire.ts";

/** A user as it is shown. */
export function showUser(row: UserRow): Static<typeof UserShown> {
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
