import { t } from "elysia";
import { ACCOUNT_STATUSES, ACCOUNT_TYPES } from "#domain/account.ts";
import { PLATFORMS } from "#domain/platform.ts";
import {
  CLOSED,
  id,
  integer,
  moment,
  nullable,
  oneOf,
  secretText,
  table,
  text,
  timestamps,
} from "./fields.ts";

const GROUPS_MAX = 100;
const PRIORITY_MAX = 1_000_000;
const RPM_MAX = 1_000_000;
/** As the check of base URLs has it, which also says what is wrong with one. */
const BASE_URL_LENGTH_MAX = 2_048;
const QUEUE_MODES = ["off", "serialize", "throttle"] as const;

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

const SETTABLE = {
  schedulable: t.Boolean({ description: "Whether requests may be sent with it." }),
  base_url: nullable(
    t.String({
      minLength: 1,
      maxLength: BASE_URL_LENGTH_MAX,
      description: "May hold a path; `/v1/messages` is appended. Null: the platform's own address.",
    }),
  ),
  group_ids: t.Array(id(), { maxItems: GROUPS_MAX, description: "Groups of the same platform." }),
  concurrency: integer(0, 100_000, "Requests at once; 0 means unlimited. At first 3."),
  priority: integer(0, PRIORITY_MAX, "Lower is used first. At first 50."),
  proxy_id: nullable(id()),
  model_mapping: nullable(
    table(text(), "Requested model, or a pattern that ends in `*`, to the model that is sent."),
  ),
  intercept_warmup: t.Boolean(),
  base_rpm: nullable(integer(1, RPM_MAX)),
  user_message_queue: oneOf(QUEUE_MODES, "At first `off`."),
  expires_at: nullable(moment("From then on the account is not used.")),
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
    ...SETTABLE,
    ...timestamps,
  },
  { ...CLOSED, title: "Account" },
);
