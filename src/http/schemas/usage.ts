import { t } from "elysia";
import { USAGE_STATUSES } from "#domain/usage-record.ts";
import { CLOSED, id, integer, moment, nullable, oneOf, shownUsd, text } from "./fields.ts";

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
