import { t } from "elysia";
import { CLOSED, id, integer } from "./fields.ts";

const live = {
  id: id(),
  in_flight: integer(0, Number.MAX_SAFE_INTEGER, "Requests that have a slot now."),
  waiting: integer(0, Number.MAX_SAFE_INTEGER, "Requests that wait for a slot now."),
  limit: integer(0, Number.MAX_SAFE_INTEGER, "Slots; 0 means unlimited."),
  oldest_wait_ms: integer(0, Number.MAX_SAFE_INTEGER, "How long the first in line has waited."),
};

/** How busy a user is now. */
export const UserStatus = t.Object(live, { ...CLOSED, title: "UserStatus" });

/** How busy an account is now, and why it is not used. */
export const AccountStatus = t.Object(
  {
    ...live,
    schedulable: t.Boolean({ description: "Whether requests may be sent with it now." }),
    reasons: t.Array(t.String(), { description: "Why not; empty when schedulable." }),
  },
  { ...CLOSED, title: "AccountStatus" },
);
