import { t } from "elysia";
import type { UpstreamBilled } from "#domain/attempt-record.ts";
import { CLOSED, id, integer, moment, nullable, oneOf } from "./fields.ts";

const BILLED = ["yes", "no", "unknown"] as const satisfies readonly UpstreamBilled[];

const count = (description?: string) => integer(0, Number.MAX_SAFE_INTEGER, description);

/** One try of a client request at one account. */
export const UpstreamAttempt = t.Object(
  {
    number: integer(1, Number.MAX_SAFE_INTEGER, "In the order of the tries."),
    account_id: id(),
    started_at: moment(),
    duration_ms: count(),
    http_status: nullable(integer(100, 999, "Null: the upstream did not answer.")),
    fault: nullable(
      t.String({ description: "What went wrong. Null: nothing.", examples: ["upstream.rate_limited"] }),
    ),
    bytes: count("Of the answer's body, as far as it came."),
    input_tokens: count("Seen, all kinds of input together."),
    output_tokens: count("Seen."),
    billed: oneOf(BILLED, "Whether the upstream bills it, as far as its answer tells."),
    reason: t.String({ description: "Why it ended." }),
  },
  { ...CLOSED, title: "UpstreamAttempt" },
);
