import { t } from "elysia";
import { ACCOUNT_EVENT_KINDS, COOLING_REASONS } from "#domain/account-event.ts";
import { CLOSED, id, integer, moment, nullable, oneOf } from "./fields.ts";

/** A change of an account's state, as shown. */
export const AccountEventShown = t.Object(
  {
    id: id(),
    kind: oneOf(ACCOUNT_EVENT_KINDS),
    reason: t.String({ description: "In words." }),
    cooling: nullable(oneOf(COOLING_REASONS, "Why it cools, where it does.")),
    model: nullable(t.String({ description: "Which model, where it is about one." })),
    until: nullable(moment("Null where it has no end of its own.")),
    status: nullable(integer(100, 999, "The upstream's HTTP status, where one caused it.")),
    request_id: nullable(t.String()),
    at: moment(),
  },
  { ...CLOSED, title: "AccountEvent" },
);
