import { t } from "elysia";
import { SUBSCRIPTION_TYPES } from "#domain/group.ts";
import { PLATFORMS } from "#domain/platform.ts";
import { CLOSED, id, multiplier, nullable, oneOf, table, text, timestamps, usd } from "./fields.ts";

const ROUTED_ACCOUNTS_MAX = 1_000;

const SETTABLE = {
  status: oneOf(["active", "disabled"], "The keys of a disabled group are refused."),
  rate_multiplier: multiplier("What the cost of a request is multiplied with. At first 1."),
  subscription_type: oneOf(SUBSCRIPTION_TYPES, "At first `standard`."),
  daily_limit_usd: nullable(usd()),
  weekly_limit_usd: nullable(usd()),
  monthly_limit_usd: nullable(usd()),
  claude_code_only: t.Boolean({
    description: "Whether only Claude Code is served. Refused for a group that others fall back to.",
  }),
  fallback_group_id: nullable(
    id(
      "Serves other clients where this group is for Claude Code only. Of the same platform and open to all.",
    ),
  ),
  fallback_group_id_on_invalid_request: nullable(
    id(
      "Serves requests that this group's accounts refuse as too long. Of the platform anthropic, without subscriptions and without such a fallback of its own; for groups of anthropic and antigravity without subscriptions.",
    ),
  ),
  model_routing: nullable(
    table(
      t.Array(id(), { maxItems: ROUTED_ACCOUNTS_MAX }),
      "Model, or a pattern that ends in `*`, to the accounts that serve it first.",
    ),
  ),
};

const platform = () => oneOf(PLATFORMS, "Stays as it was created.");

/** A group to be created. */
export const GroupCreate = t.Object(
  { name: text("Unique."), platform: platform(), ...t.Partial(t.Object(SETTABLE)).properties },
  { ...CLOSED, title: "GroupCreate" },
);

/** What may change about a group. */
export const GroupChange = t.Partial(t.Object({ name: text("Unique."), ...SETTABLE }), {
  ...CLOSED,
  title: "GroupChange",
});

/** A group as shown. */
export const GroupShown = t.Object(
  { id: id(), name: text("Unique."), platform: platform(), ...SETTABLE, ...timestamps },
  { ...CLOSED, title: "Group" },
);
