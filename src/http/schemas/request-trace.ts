import { t } from "elysia";
import { CLOSED, id, integer, moment, nullable } from "./fields.ts";

const Step = t.Object(
  {
    at_ms: integer(0, Number.MAX_SAFE_INTEGER, "Since the request arrived."),
    step: t.String({
      description:
        "What happened, such as a wait, a choice of an account, an attempt, its failure or the answer. What else is told depends on it.",
      examples: ["choice"],
    }),
  },
  { additionalProperties: true },
);

/** How one request came by its answer. */
export const RequestTrace = t.Object(
  {
    request_id: t.String(),
    at: moment("When the request arrived."),
    model: t.String({ description: "As the client asked." }),
    group_id: id(),
    api_key_id: id(),
    stream: t.Boolean(),
    session_key: t.String({ description: "Names the conversation." }),
    client: nullable(
      t.String({ description: "Null where it is not known.", examples: ["claude-code 2.1.0"] }),
    ),
    steps: t.Array(Step, { description: "In the order in which they happened." }),
  },
  { ...CLOSED, title: "RequestTrace" },
);
