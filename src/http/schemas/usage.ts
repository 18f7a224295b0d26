import { t } from "elysia";
import { USAGE_STATUSES } from "#domain/usage-record.ts";
import { CLOSED, day, id, integer, moment, nullable, oneOf, shownUsd, text } from "./fields.ts";

const count = (description?: string) => integer(0, Number.MAX_SAFE_INTEGER, description);
const status = () =>
  oneOf(
    USAGE_STATUSES,
    "How the request ended: whole, left by the client, cut or gone silent upstream, or refused before an answer began.",
  );

/** What the usage list can be narrowed to; besides the page. */
export const USAGE_FILTERS = {
  user_id: t.Optional(id()),
  api_key_id: t.Optional(id()),
  group_id: t.Optional(id()),
  account_id: t.Optional(id()),
  subscription_id: t.Optional(id("What paid.")),
  model: t.Optional(text("As the client asked.")),
  status: t.Optional(status()),
  request_id: t.Optional(text("Ours or the upstream's.")),
  from: t.Optional(moment("Arrived at or after.")),
  to: t.Optional(moment("Arrived before.")),
};

/** What one client request used and cost. */
export const UsageShown = t.Object(
  {
    id: id(),
    request_id: t.String(),
    user_id: id(),
    api_key_id: id(),
    group_id: id(),
    account_id: nullable(id()),
    model: t.String(),
    upstream_model: t.String(),
    upstream_request_id: nullable(t.String()),
    input_tokens: count(),
    output_tokens: count(),
    cache_creation_tokens: count("Total of both lifetimes."),
    cache_creation_5m_tokens: count(),
    cache_creation_1h_tokens: count(),
    cache_read_tokens: count(),
    cost_usd: nullable(shownUsd("Null when the model has no known price.")),
    list_cost_usd: nullable(
      shownUsd("Before rate multipliers. Null as with `cost_usd`; as it, where it was not kept."),
    ),
    subscription_id: nullable(id("What paid. Null: the user's balance.")),
    status: status(),
    http_status: count("What the client was answered; 499 when it left first."),
    stream: t.Boolean(),
    usage_complete: t.Boolean({ description: "Whether the upstream reported final usage." }),
    duration_ms: count(),
    first_token_ms: nullable(count()),
    attempts: count(),
    created_at: moment("When the request arrived."),
  },
  { ...CLOSED, title: "Usage" },
);

/** What usage can be added up by. */
const AGGREGATES_BY = ["day", "model", "user", "api_key", "group", "account"] as const;

/** What is to be added up, and how. */
export const AGGREGATE_QUERY = {
  by: oneOf(AGGREGATES_BY, "What the sums are told apart by."),
  user_id: t.Optional(id()),
  api_key_id: t.Optional(id()),
  group_id: t.Optional(id()),
  account_id: t.Optional(id()),
  model: t.Optional(text("As the client asked.")),
  from: t.Optional(day("The first day, in UTC. Absent: the thirty days up to `to`, or to the present one.")),
  to: t.Optional(day("The last day, in UTC, which counts whole.")),
  limit: t.Optional(integer(1, 1_000, "Most sums; 100 when absent.")),
};

/** What a number of requests used and cost. */
export const UsageAggregateShown = t.Object(
  {
    day: t.Optional(day("Where it was asked `by` day, as the other names where by them.")),
    model: t.Optional(t.String()),
    user_id: t.Optional(id()),
    api_key_id: t.Optional(id()),
    group_id: t.Optional(id()),
    account_id: t.Optional(nullable(id("Null: requests that reached no account."))),
    requests: count(),
    errors: count("Requests that the upstream broke or that failed before an answer began."),
    input_tokens: count(),
    output_tokens: count(),
    cache_creation_tokens: count("Total of both lifetimes."),
    cache_creation_5m_tokens: count(),
    cache_creation_1h_tokens: count(),
    cache_read_tokens: count(),
    total_tokens: count("Input, output, cache written and cache read."),
    cost_usd: shownUsd("As charged. Requests without a known price count as nothing."),
    list_cost_usd: shownUsd("Before rate multipliers."),
    account_cost_usd: shownUsd("What the accounts cost the operator."),
  },
  { ...CLOSED, title: "UsageAggregate" },
);
