import { t } from "elysia";
import { ACCOUNT_STATUSES, ACCOUNT_TYPES } from "#domain/account.ts";
import { COOLING_REASONS } from "#domain/account-event.ts";
import { QUEUE_MODES, QUOTA_RESETS, RPM_STRATEGIES, RULE_SCOPES } from "#domain/account-limits.ts";
import { PLATFORMS } from "#domain/platform.ts";
import {
  CLOSED,
  errorStatus,
  id,
  integer,
  list,
  moment,
  multiplier,
  nullable,
  oneOf,
  secretText,
  shownUsd,
  table,
  text,
  timestamps,
  usd,
} from "./fields.ts";

const GROUPS_MAX = 100;
const PRIORITY_MAX = 1_000_000;
const RPM_MAX = 1_000_000;
/** As the check of base URLs has it, which also says what is wrong with one. */
const BASE_URL_LENGTH_MAX = 2_048;
const RULES_MAX = 50;
const KEYWORDS_MAX = 20;
const RULE_MINUTES_MAX = 10_080;
const STATUSES_MAX = 100;

const ApiKeyCredentials = t.Object({ api_key: secretText() }, CLOSED);

const OauthCredentials = t.Object(
  {
    access_token: secretText(),
    refresh_token: secretText(),
    expires_at: moment(),
    token_url: t.String({ maxLength: BASE_URL_LENGTH_MAX }),
    client_id: secretText(),
    client_secret: t.Optional(secretText()),
  },
  CLOSED,
);

const SetupTokenCredentials = t.Object({ access_token: secretText() }, CLOSED);

const credentials = () =>
  t.Union([ApiKeyCredentials, OauthCredentials, SetupTokenCredentials], {
    description: "The form that the account's type calls for. Sealed at once; no answer holds it.",
    writeOnly: true,
  });

const rule = {
  status: errorStatus(),
  keywords: t.Array(text(), {
    minItems: 1,
    maxItems: KEYWORDS_MAX,
    description: "Any of them, looked for in the answer's text whatever its case. Kept in lower case.",
  }),
  minutes: integer(1, RULE_MINUTES_MAX, "How long it is left alone."),
};
const scope = () => oneOf(RULE_SCOPES, "What is left alone: the account, or it for the model asked for.");
const RULES = "Take the account out of use for a while when an error answer fits.";

const LIMITS = {
  load_factor: nullable(integer(1, 100_000, "What its load is measured against. Null: its concurrency.")),
  base_rpm: nullable(integer(1, RPM_MAX, "Requests per minute of the clock.")),
  rpm_strategy: oneOf(
    RPM_STRATEGIES,
    "At that limit bound conversations may go on: up to the buffer, or without end. At first `tiered`.",
  ),
  rpm_sticky_buffer: nullable(
    integer(
      0,
      1_000_000,
      "Requests beyond the limit. Null: as concurrency, conversations and limit suggest.",
    ),
  ),
  max_sessions: nullable(integer(1, 128, "Conversations at once.")),
  session_idle_minutes: integer(1, 1_440, "How long one counts after its last request. At first 5."),
  rate_multiplier: multiplier(
    "What list prices are multiplied with to be the operator's own cost, which its limits count. At first 1.",
  ),
  quota_usd: nullable(usd("What requests through it may cost in all.")),
  quota_daily_usd: nullable(usd("The same, per day.")),
  quota_weekly_usd: nullable(usd("The same, per week.")),
  quota_reset: oneOf(
    QUOTA_RESETS,
    "Whether days and weeks move with the clock or begin at a fixed time. At first `rolling`.",
  ),
  quota_reset_hour: integer(0, 23, "When fixed days and weeks begin. At first 0."),
  quota_reset_weekday: integer(0, 6, "When fixed weeks begin; 0 is Sunday. At first 1."),
  quota_reset_timezone: text("IANA name of the zone of both. At first `UTC`."),
  window_cost_limit_usd: nullable(usd("What requests within its five-hour window may cost.")),
  window_cost_sticky_reserve_usd: usd("By how much bound conversations may go beyond. At first 10."),
};

const SETTABLE = {
  schedulable: t.Boolean({ description: "Whether requests may be sent with it." }),
  base_url: nullable(
    t.String({
      minLength: 1,
      maxLength: BASE_URL_LENGTH_MAX,
      description: "May hold a path; `/v1/messages` is appended. Null: the platform's own address.",
    }),
  ),
  group_ids: list(id(), GROUPS_MAX, "Groups of the same platform."),
  concurrency: integer(0, 100_000, "Requests at once; 0 means unlimited. At first 3."),
  priority: integer(0, PRIORITY_MAX, "Lower is used first. At first 50."),
  proxy_id: nullable(id()),
  model_mapping: nullable(
    table(text(), "Requested model, or a pattern that ends in `*`, to the model that is sent."),
  ),
  intercept_warmup: t.Boolean({
    description: "Whether warm-up requests of coding assistants are answered here and not sent on.",
  }),
  ...LIMITS,
  user_message_queue: nullable(
    oneOf(
      QUEUE_MODES,
      "How messages of people that come close together are treated. Null: as the setting says; `off` opts out.",
    ),
  ),
  unschedulable_rules: list(t.Object({ ...rule, scope: t.Optional(scope()) }, CLOSED), RULES_MAX, RULES),
  handled_statuses: nullable(
    list(
      errorStatus(),
      STATUSES_MAX,
      "When given, only these statuses of error answers change the account's state; empty: every one does, for good.",
    ),
  ),
  is_pool: t.Boolean({
    description:
      "Behind the address is a pool: errors say nothing of this account, and a retry may meet another.",
  }),
  expires_at: nullable(moment("From then on the account is not used, unless told otherwise.")),
  auto_pause_on_expired: t.Boolean({ description: "Whether it is out of use once expired. At first true." }),
};

/** What an operator may set; `error` is set by the gateway alone. */
const settableStatus = () => oneOf(["active", "disabled"]);
const platform = () => oneOf(PLATFORMS, "Stays as it was created.");
const type = () => oneOf(ACCOUNT_TYPES, "Stays as it was created. This version serves `api_key`.");

/** An account to be created. */
export const AccountCreate = t.Object(
  {
    name: text(),
    platform: platform(),
    type: type(),
    credentials: credentials(),
    ...t.Partial(t.Object({ status: settableStatus(), ...SETTABLE })).properties,
  },
  { ...CLOSED, title: "AccountCreate" },
);

/** What may change about an account. */
export const AccountChange = t.Partial(
  t.Object({ name: text(), credentials: credentials(), status: settableStatus(), ...SETTABLE }),
  { ...CLOSED, title: "AccountChange" },
);

/** An account as shown: that it has credentials, never which. */
export const AccountShown = t.Object(
  {
    id: id(),
    name: text(),
    platform: platform(),
    type: type(),
    credentials: t.Object({ type: type(), set: t.Boolean() }, CLOSED),
    status: oneOf(ACCOUNT_STATUSES, "`error`: the upstream refused the credentials."),
    status_reason: nullable(t.String()),
    cooling_until: nullable(moment("Until when it is left alone, as of its last event.")),
    cooling_reason: nullable(oneOf(COOLING_REASONS)),
    ...SETTABLE,
    unschedulable_rules: list(t.Object({ ...rule, scope: scope() }, CLOSED), RULES_MAX, RULES),
    quota_used_usd: shownUsd("What requests through it have cost in all, as far as that is booked."),
    quota_daily_used_usd: shownUsd("The same, within the day that its quota counts."),
    quota_weekly_used_usd: shownUsd("The same, within the week that its quota counts."),
    quota_reset_at: nullable(
      moment(
        "When a quota that is used up allows requests again. Null: none is used up, or time alone does not help.",
      ),
    ),
    window_cost_used_usd: shownUsd("What requests through it have cost within five hours."),
    ...timestamps,
  },
  { ...CLOSED, title: "Account" },
);
