/** Whose mistake it was. Decides the log level and whether an account is blamed. */
export type FaultSource = "client" | "gateway" | "upstream";

/** What the attempt loop may do next. Nothing is retried unless the fault says so. */
export type RetryVerdict = "never" | "same-account" | "other-account";

interface FaultSpec {
  readonly status: number;
  readonly source: FaultSource;
  readonly retry: RetryVerdict;
  /** Safe to show to any client: no ids, hosts, account names or credentials. */
  readonly publicMessage: string;
}

const client = (status: number, publicMessage: string) =>
  ({ status, source: "client", retry: "never", publicMessage }) as const satisfies FaultSpec;
const gateway = (status: number, publicMessage: string) =>
  ({ status, source: "gateway", retry: "never", publicMessage }) as const satisfies FaultSpec;
const upstream = (status: number, publicMessage: string) =>
  ({ status, source: "upstream", retry: "other-account", publicMessage }) as const satisfies FaultSpec;

/** Every fault the gateway can answer with, in the order the pipeline can raise it. */
export const FAULTS = {
  "route.not_found": client(404, "Not found"),
  "route.method_not_allowed": client(405, "Method not allowed"),
  "auth.key_missing": client(
    401,
    "API key is required in the Authorization header (Bearer scheme), x-api-key or x-goog-api-key",
  ),
  "auth.key_in_query": client(400, "API keys are not accepted in the query string; send a header instead"),
  "auth.key_invalid": client(401, "Invalid API key"),
  "auth.key_disabled": client(401, "API key is disabled"),
  "auth.key_expired": client(403, "API key has expired"),
  "auth.user_disabled": client(401, "User account is not active"),
  "auth.group_disabled": client(403, "The group of this API key is not active"),
  "auth.address_denied": client(403, "Access from this address is not allowed for this API key"),
  "parse.body_too_large": client(413, "Request body is too large"),
  "parse.body_unreadable": client(400, "Request body could not be read"),
  "parse.body_empty": client(400, "Request body is empty"),
  "parse.json_invalid": client(400, "Request body is not valid JSON"),
  "parse.model_missing": client(400, "model: Field required"),
  "parse.field_invalid": client(400, "A field has the wrong type"),
  "client.version_too_old": client(400, "This Claude Code version is below the minimum required version"),
  "client.version_too_new": client(400, "This Claude Code version exceeds the maximum allowed version"),
  "client.claude_code_only": client(403, "The group of this API key only allows Claude Code clients"),
  "admit.queue_full": client(429, "Too many pending requests, please retry later"),
  "admit.wait_timeout": client(429, "Concurrency limit exceeded, please retry later"),
  "admit.client_gone": client(499, "The client closed the connection"),
  "admit.client_stalled": client(408, "The client left its answer unread for too long"),
  "billing.quota_reached": client(429, "The quota of this API key is used up"),
  "billing.window_reached": client(429, "A spending limit of this API key is reached, please retry later"),
  "billing.subscription_missing": client(403, "No subscription for the group of this API key"),
  "billing.subscription_inactive": client(403, "The subscription is not active"),
  "billing.subscription_expired": client(403, "The subscription has expired"),
  "billing.subscription_limit": client(429, "A limit of the subscription is reached, please retry later"),
  "billing.balance_exhausted": client(403, "Insufficient balance"),
  "billing.exhausted": client(402, "What pays for this request is used up; the answer ends here"),
  "billing.holds_full": gateway(503, "Too many requests are under way, please retry later"),
  "billing.model_unpriced": client(400, "The requested model has no price on this gateway"),
  "billing.journal_full": gateway(503, "Usage cannot be recorded at the moment, please retry later"),
  "select.no_account": gateway(503, "No account is available for this request, please retry later"),
  "select.rate_limited": gateway(429, "All accounts are at their rate limit, please retry later"),
  "select.overloaded": gateway(529, "All accounts are overloaded, please retry later"),
  "select.model_unknown": client(
    404,
    "The requested model does not exist or is not available to this API key",
  ),
  "upstream.forbidden_address": {
    status: 503,
    source: "gateway",
    retry: "other-account",
    publicMessage: "The account's upstream address is not allowed by this gateway's outbound policy",
  },
  "upstream.connect_failed": upstream(502, "Upstream could not be reached"),
  "upstream.reset": upstream(502, "Upstream closed the connection before answering"),
  "upstream.timeout": upstream(504, "Upstream did not answer in time"),
  "upstream.broken": upstream(502, "Upstream broke off its answer"),
  "upstream.stalled": upstream(504, "Upstream stopped sending before its answer was complete"),
  "upstream.invalid_answer": upstream(502, "Upstream sent an answer that could not be understood"),
  "upstream.credential_rejected": upstream(
    502,
    "Upstream authentication failed, please contact the administrator",
  ),
  "upstream.forbidden": upstream(502, "Upstream access forbidden, please contact the administrator"),
  "upstream.rate_limited": upstream(429, "Upstream rate limit exceeded, please retry later"),
  "upstream.overloaded": upstream(529, "Upstream is overloaded, please retry later"),
  "upstream.unavailable": upstream(502, "Upstream service temporarily unavailable"),
  "upstream.rejected": {
    status: 400,
    source: "client",
    retry: "never",
    publicMessage: "Upstream refused the request",
  },
  "gateway.thread_lost": gateway(503, "The request was interrupted, please retry"),
  "gateway.stopping": gateway(503, "The gateway is shutting down, please retry"),
  "gateway.internal": gateway(500, "Internal server error"),
} as const satisfies Record<string, FaultSpec>;

/** Stable, greppable and safe to use as a metric label. */
export type FaultCode = keyof typeof FAULTS;
