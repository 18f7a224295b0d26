import { Fault } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import type { AccountSpend } from "./account-spend.ts";
import type { Choice } from "./choice.ts";
import { FOUND } from "./findings.ts";

const MS_PER_MINUTE = 60_000;
/** What a client is told to wait where only other requests' ends can help, in milliseconds. */
const BUSY_RETRY_MS = 1_000;
/** A failing account is worth another look after this, in milliseconds, where its circuit names no time. */
const CIRCUIT_RETRY_MS = 5_000;

type Spend = Pick<AccountSpend, "quotaResetMs">;

/** The candidate that will be free soonest. */
interface Soonest {
  readonly index: number;
  /** Milliseconds from now; infinite where only an operator can help. */
  readonly inMs: number;
}

/** Findings that are limits of what an account may be asked, and not the lack of one. */
const LIMITS: ReadonlySet<number> = new Set([
  FOUND.model_cooling,
  FOUND.quota_reached,
  FOUND.window_cost_reached,
  FOUND.rpm_reached,
  FOUND.session_limit_reached,
]);

/**
 * Why no account could be chosen, told as it is: a rate limit is a rate limit, with the soonest time at which
 * one of the accounts will be free.
 */
export function unavailableFault(choice: Choice, spend: Spend): Fault {
  const { candidates, findings } = choice;
  if (candidates.length > 0 && findings.every((found) => found === FOUND.model_unsupported)) {
    return new Fault("select.model_unknown");
  }
  if (findings.includes(FOUND.queue_full)) return queueFull(choice);
  const { index, inMs } = soonestOf(choice, spend);
  if (!Number.isFinite(inMs)) {
    return new Fault(
      findings.some((found) => LIMITS.has(found)) ? "select.rate_limited" : "select.no_account",
    );
  }
  return new Fault(codeFor(choice, index), { retryAfterMs: inMs });
}

function queueFull({ candidates }: Choice): Fault {
  const waiting = candidates.reduce((sum, { vitals }) => sum + vitals.waiting, 0);
  return new Fault("admit.queue_full", {
    publicMessage: `All accounts of this group are busy and ${waiting} requests are waiting, please retry later`,
    retryAfterMs: BUSY_RETRY_MS,
  });
}

/** How long until one of the candidates can be asked again, in milliseconds; undefined when no time is known. */
export function soonestRetryMs(choice: Choice, spend: Spend): number | undefined {
  const { inMs } = soonestOf(choice, spend);
  return Number.isFinite(inMs) ? inMs : undefined;
}

function codeFor({ candidates, findings }: Choice, index: number): FaultCode {
  const found = findings[index] ?? FOUND.full;
  if (LIMITS.has(found)) return "select.rate_limited";
  const reason = found === FOUND.cooling ? candidates[index]?.vitals.coolingReason : undefined;
  if (reason === "rate_limited") return "select.rate_limited";
  return reason === "overloaded" ? "select.overloaded" : "select.no_account";
}

function soonestOf(choice: Choice, spend: Spend): Soonest {
  let soonest: Soonest = { index: -1, inMs: Number.POSITIVE_INFINITY };
  for (let index = 0; index < choice.findings.length; index++) {
    const inMs = obstacleMs(choice, index, spend);
    if (inMs < soonest.inMs) soonest = { index, inMs };
  }
  return soonest;
}

function obstacleMs({ candidates, findings, atMs }: Choice, index: number, spend: Spend): number {
  const candidate = candidates[index];
  if (candidate === undefined) return Number.POSITIVE_INFINITY;
  const { account, vitals } = candidate;
  switch (findings[index]) {
    case FOUND.cooling:
    case FOUND.excluded:
      return vitals.coolingUntilMs > atMs ? vitals.coolingUntilMs - atMs : Number.POSITIVE_INFINITY;
    case FOUND.circuit_open:
      return CIRCUIT_RETRY_MS;
    case FOUND.rpm_reached:
      return MS_PER_MINUTE - (atMs % MS_PER_MINUTE);
    case FOUND.quota_reached:
      return (spend.quotaResetMs(account, atMs) ?? Number.POSITIVE_INFINITY) - atMs;
    case FOUND.session_limit_reached:
      return account.sessions?.idleMs ?? Number.POSITIVE_INFINITY;
    default:
      return Number.POSITIVE_INFINITY;
  }
}
