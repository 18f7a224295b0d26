import { t } from "elysia";
import { RULE_MATCHES } from "#domain/error-rule.ts";
import { PLATFORMS } from "#domain/platform.ts";
import { CLOSED, errorStatus, id, integer, list, nullable, oneOf, text, timestamps } from "./fields.ts";

const PRIORITY_MAX = 1_000_000;
const STATUSES_MAX = 100;
const KEYWORDS_MAX = 50;
const MESSAGE_LENGTH_MAX = 2_000;

/** Text that may have many lines. PostgreSQL cannot hold the character zero. */
const message = () =>
  t.String({
    pattern: "^(?=[\\s\\S]*\\S)[^\\u0000]+$",
    maxLength: MESSAGE_LENGTH_MAX,
    description: "What clients are told. Null: the upstream's message.",
  });

const name = () => text("Unique.");

const SETTABLE = {
  enabled: t.Boolean({ description: "At first true." }),
  priority: integer(0, PRIORITY_MAX, "Lower is tried first; the first rule that fits decides. At first 50."),
  platforms: list(oneOf(PLATFORMS), PLATFORMS.length, "Empty: every platform."),
  statuses: list(errorStatus(), STATUSES_MAX, "Upstream statuses; empty: not asked for."),
  keywords: list(
    text(),
    KEYWORDS_MAX,
    "Looked for in the answer's text whatever its case; one is enough. Empty: not asked for. Kept in lower case.",
  ),
  match: oneOf(
    RULE_MATCHES,
    "Whether statuses or keywords are enough, or both must fit where both are given. At first `any`.",
  ),
  response_status: nullable(errorStatus("What clients are answered. Null: the upstream's status.")),
  message: nullable(message()),
  skip_monitoring: t.Boolean({ description: "What fits is expected, and not counted or logged as a fault." }),
};

/** An error rule to be created. */
export const ErrorRuleCreate = t.Object(
  { name: name(), ...t.Partial(t.Object(SETTABLE)).properties },
  { ...CLOSED, title: "ErrorRuleCreate" },
);

/** What may change about an error rule. */
export const ErrorRuleChange = t.Partial(t.Object({ name: name(), ...SETTABLE }), {
  ...CLOSED,
  title: "ErrorRuleChange",
});

/** An error rule as shown. */
export const ErrorRuleShown = t.Object(
  { id: id(), name: name(), ...SETTABLE, ...timestamps },
  { ...CLOSED, title: "ErrorRule" },
);
