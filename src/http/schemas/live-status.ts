import { t } from "elysia";
import type { CircuitState } from "#coordination/account-vitals.ts";
import { COOLING_REASONS } from "#domain/account-event.ts";
import { CLOSED, id, integer, moment, nullable, number, oneOf } from "./fields.ts";

const count = (description: string) => integer(0, Number.MAX_SAFE_INTEGER, description);

const CIRCUIT_STATES = ["closed", "open", "half-open"] as const satisfies readonly CircuitState[];

const live = {
  id: id(),
  in_flight: count("Requests that have a slot now."),
  waiting: count("Requests that wait for a slot now."),
  limit: count("Slots; 0 means unlimited."),
  oldest_wait_ms: count("How long the first in line has waited."),
};

/** How busy a user is now. */
export const UserStatus = t.Object(live, { ...CLOSED, title: "UserStatus" });

/** How busy an account is now, and why it is not used. */
export const AccountStatus = t.Object(
  {
    ...live,
    cooling_until: nullable(moment("Until when it is left alone; null when it is not.")),
    cooling_reason: nullable(oneOf(COOLING_REASONS)),
    circuit: oneOf(
      CIRCUIT_STATES,
      "`open`: left alone after failures; `half-open`: one request may find out.",
    ),
    first_token_ms: nullable(
      number(
        0,
        Number.MAX_SAFE_INTEGER,
        "Time to the first token, recent answers counting most. Null: not measured.",
      ),
    ),
    error_rate: number(0, 1, "Share of attempts that failed, recent ones counting most."),
    headroom: number(
      0,
      1,
      "Smallest share that is left of any of its upstream's rate limits; 1: none is known.",
    ),
    requests_in_minute: count("Requests within the current minute of the clock."),
    active_sessions: count("Conversations that count as active now."),
    last_used_at: nullable(moment()),
    schedulable: t.Boolean({ description: "Whether requests may be sent with it now." }),
    reasons: t.Array(t.String(), { description: "Why not; empty when schedulable." }),
  },
  { ...CLOSED, title: "AccountStatus" },
);
