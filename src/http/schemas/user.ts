import { t } from "elysia";
import {
  CLOSED,
  id,
  integer,
  moment,
  multiplier,
  nullable,
  oneOf,
  shownUsd,
  signedUsd,
  text,
  timestamps,
  usd,
} from "./fields.ts";

const STATUSES = ["active", "disabled"] as const;

/** RFC 5321 allows 254 characters; a display form may be longer. */
const email = () =>
  t.String({ pattern: "^[^\\s@\\u0000-\\u001f\\u007f]+@[^\\s@\\u0000-\\u001f\\u007f]+$", maxLength: 320 });

const SETTABLE = {
  email: nullable(email()),
  status: oneOf(STATUSES, "The keys of a disabled user are refused."),
  concurrency: integer(0, 100_000, "Requests at once; 0 means unlimited. At first 5."),
};

/** A user to be created. */
export const UserCreate = t.Object(
  {
    name: text(),
    ...t.Partial(t.Object(SETTABLE)).properties,
    balance_usd: t.Optional(usd("The first balance; 0 when absent.")),
  },
  { ...CLOSED, title: "UserCreate" },
);

/** What may change about a user. `balance_usd` is named so that whoever tries it learns how balances move. */
export const UserChange = t.Partial(
  t.Object({
    name: text(),
    ...SETTABLE,
    balance_usd: t.Unknown({
      readOnly: true,
      description: "Refused: balances move by `POST /admin/users/{id}/balance`.",
    }),
  }),
  { ...CLOSED, title: "UserChange" },
);

/** A user as shown. */
export const UserShown = t.Object(
  {
    id: id(),
    name: text(),
    ...SETTABLE,
    balance_usd: shownUsd(
      "Everything that is booked included. May be negative: an answer under way is finished.",
    ),
    ...timestamps,
  },
  { ...CLOSED, title: "User" },
);

/** A movement of a balance. */
export const BalanceMovement = t.Object(
  {
    amount_usd: signedUsd("What is added; negative takes away."),
    reason: t.Optional(text("Why, for the record; `adjustment` when absent.")),
    idempotency_key: t.Optional(
      text(
        "Names this movement among those of all users: asked for again under the same key, it is not made again. A fresh one when absent.",
      ),
    ),
  },
  { ...CLOSED, title: "BalanceMovement" },
);

/** A movement of a balance on record. */
export const BalanceAdjustmentShown = t.Object(
  {
    id: id(),
    amount_usd: shownUsd("What was added; negative: taken away."),
    reason: t.String(),
    idempotency_key: t.String(),
    balance_after_usd: shownUsd("The balance right after it."),
    created_at: moment(),
  },
  { ...CLOSED, title: "BalanceAdjustment" },
);

/** What the costs of one user in one group are multiplied with. */
export const UserRate = t.Object(
  {
    group_id: id(),
    rate_multiplier: multiplier("Instead of the group's own; 0 means free."),
  },
  { ...CLOSED, title: "UserRate" },
);

/** Which rate is meant. */
export const UserRateQuery = t.Object({ group_id: id("The group that it is for.") }, CLOSED);
