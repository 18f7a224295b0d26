import { t } from "elysia";
import { addresses, CLOSED, id, moment, nullable, oneOf, shownUsd, text, timestamps, usd } from "./fields.ts";

const SETTABLE = {
  name: text(),
  group_id: id("The group whose accounts serve this key."),
  status: oneOf(["active", "disabled"]),
  quota_usd: nullable(usd("What the key may cost in all.")),
  rate_limit_5h_usd: nullable(usd()),
  rate_limit_1d_usd: nullable(usd()),
  rate_limit_7d_usd: nullable(usd()),
  expires_at: nullable(moment("From then on the key is refused.")),
  ip_allow: addresses("Where requests may come from; empty: from everywhere."),
  ip_deny: addresses("Where requests may not come from; goes before `ip_allow`."),
  trace_header: t.Boolean({
    description:
      "Whether answers carry `x-sluice-trace`, a short account of how they came about. At first false.",
  }),
};

const { group_id, ...OPTIONAL } = SETTABLE;

/** An API key to be created. */
export const ApiKeyCreate = t.Object(
  { user_id: id("Whose balance pays."), group_id, ...t.Partial(t.Object(OPTIONAL)).properties },
  { ...CLOSED, title: "ApiKeyCreate" },
);

/** What may change about an API key. */
export const ApiKeyChange = t.Partial(
  t.Object({ ...SETTABLE, quota_used_usd: usd("What counts as used; 0 begins anew.") }),
  { ...CLOSED, title: "ApiKeyChange" },
);

const shown = {
  id: id(),
  user_id: id(),
  ...SETTABLE,
  key_hint: t.String({ description: "The key's last four characters." }),
  quota_used_usd: shownUsd(),
  usage_5h_usd: shownUsd("What its window of five hours holds; 0 while none is running."),
  reset_5h_at: nullable(moment("When that window ends. Null: none is running.")),
  usage_1d_usd: shownUsd("The same, of a day."),
  reset_1d_at: nullable(moment()),
  usage_7d_usd: shownUsd("The same, of seven days."),
  reset_7d_at: nullable(moment()),
  last_used_at: nullable(moment()),
  ...timestamps,
};

/** An API key as shown: never the key itself. */
export const ApiKeyShown = t.Object(shown, { ...CLOSED, title: "ApiKey" });

/** An API key as the answer to its creation shows it. */
export const ApiKeyCreated = t.Object(
  { ...shown, key: t.String({ description: "The key itself. It is shown here and never again." }) },
  { ...CLOSED, title: "ApiKeyCreated" },
);
