import type { AccountId } from "#domain/ids.ts";
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

/** Where the times come from at which accounts can be asked again. */
export interface ResetTimes {
  readonly spend: Pick<AccountSpend, "quotaResetMs">;
  /** When an account's rest for the model that was asked for ends; 0 when there is none. */
  readonly modelRestUntilMs: (account: AccountId) => number;
}

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
export function unavailableFault(choice: Choice, times: ResetTimes): Fault {
  const { candidates, findings } = choice;
  if (candidates.length > 0 && findings.every((found) => found === FOUND.model_unsupported)) {
    return new Fault("select.model_unknown");
  }
  if (findings.includes(FOUND.queue_full)) return queueFull(choice);
  const { index, inMs } = soonestOf(choice, times);
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

/**
 * How long until one of the candidates can be asked again, in milliseconds; undefined when no time is known, or
 * when one that has failed this request could be asked by another at once.
 */
export function soonestRetryMs(choice: Choice, times: ResetTimes): number | undefined {
  const { inMs } = soonestOf(choice, times);
  return Number.isFinite(inMs) && inMs > 0 ? inMs : undefined;
}

function codeFor({ candidates, findings }: Choice, index: number): FaultCode {
  const found = findings[index] ?? FOUND.full;
  if (LIMITS.has(found)) return "select.rate_limited";
  const reason = found === FOUND.cooling ? candidates[index]?.vitals.coolingReason : undefined;
  if (reason === "rate_limited") return "select.rate_limited";
  return reason === "overloaded" ? "select.overloaded" : "select.no_account";
}

function soonestOf(choice: Choice, times: ResetTimes): Soonest {
  let soonest: Soonest = { index: -1, inMs: Number.POSITIVE_INFINITY };
  for (let index = 0; index < choice.findings.length; index++) {
    const inMs = obstacleMs(choice, index, times);
    if (inMs < soonest.inMs) soonest = { index, inMs };
  }
  return soonest;
}

function obstacleMs({ candidates, findings, atMs }: Choice, index: number, times: ResetTimes): number {
  const candidate = candidates[index];
  if (candidate === undefined) return Number.POSITIVE_INFINITY;
  const { account, vitals } = candidate;
  switch (findings[index]) {
    case FOUND.cooling:
    case FOUND.excluded:
      return Math.max(0, vitals.coolingUntilMs - atMs);
    case FOUND.model_cooling:
      return Math.max(0, times.modelRestUntilMs(account.id) - atMs);
    case FOUND.circuit_open:
      return CIRCUIT_RETRY_MS;
    case FOUND.rpm_reached:
      return MS_PER_MINUTE - (atMs % MS_PER_MINUTE);
    case FOUND.quota_reached:
      return (times.spend.quotaResetMs(account, atMs) ?? Number.POSITIVE_INFINITY) - atMs;
    case FOUND.session_limit_reached:
      return account.sessions?.idleMs ?? Number.POSITIVE_INFINITY;
    default:
      return Number.POSITIVE_INFINITY;
  }
}
