import { t } from "elysia";
import { SUBSCRIPTION_STATUSES } from "#domain/subscription.ts";
import { CLOSED, id, moment, nullable, oneOf, shownUsd, timestamps } from "./fields.ts";

const STARTS = "From then on it pays.";
const ENDS = "From then on it pays no more. After `starts_at`.";

const status = () =>
  oneOf(SUBSCRIPTION_STATUSES, "Only an active one pays. A cancelled one leaves room for another.");

/** What the subscription list can be narrowed to; besides the page. */
export const SUBSCRIPTION_FILTERS = {
  user_id: t.Optional(id()),
  group_id: t.Optional(id()),
  status: t.Optional(status()),
};

/** A subscription to be created. */
export const SubscriptionCreate = t.Object(
  {
    user_id: id("Who may spend. Stays as it was created."),
    group_id: id("A group of subscriptions, whose limits hold. Stays as it was created."),
    starts_at: t.Optional(moment(`${STARTS} At once when absent.`)),
    expires_at: moment(ENDS),
  },
  { ...CLOSED, title: "SubscriptionCreate" },
);

/** What may change about a subscription. */
export const SubscriptionChange = t.Partial(
  t.Object({ status: status(), starts_at: moment(STARTS), expires_at: moment(ENDS) }),
  { ...CLOSED, title: "SubscriptionChange" },
);

/** A subscription as shown, with what its windows hold. */
export const SubscriptionShown = t.Object(
  {
    id: id(),
    user_id: id(),
    group_id: id(),
    status: status(),
    starts_at: moment(STARTS),
    expires_at: moment(ENDS),
    daily_usage_usd: shownUsd("What its window of a day holds; 0 while none is running."),
    daily_started_at: nullable(moment("When that window began. Null: none is running.")),
    daily_reset_at: nullable(moment("When that window ends.")),
    weekly_usage_usd: shownUsd("The same, of seven days."),
    weekly_started_at: nullable(moment()),
    weekly_reset_at: nullable(moment()),
    monthly_usage_usd: shownUsd("The same, of thirty days."),
    monthly_started_at: nullable(moment()),
    monthly_reset_at: nullable(moment()),
    ...timestamps,
  },
  { ...CLOSED, title: "Subscription" },
);
