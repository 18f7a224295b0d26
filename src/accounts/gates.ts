import type { RpmLimit } from "#domain/account-limits.ts";
import type { AccountSpend } from "./account-spend.ts";
import type { Candidate } from "./candidate.ts";
import { FOUND } from "./findings.ts";

/** What a candidate is looked at for. */
export interface GateQuestion {
  readonly sessionKey: string;
  /** Whether the request belongs to a conversation that this account serves already. */
  readonly isBound: boolean;
  /** Whether it makes a message, and so counts towards the limits of requests and conversations. */
  readonly isMessage: boolean;
  readonly nowMs: number;
}

type Spend = Pick<AccountSpend, "isQuotaReached" | "windowState">;

/**
 * Whether an account that fits the model may serve a request now, and if not, the first reason why.
 *
 * A limit counts wherever it is configured, whatever the account's type. Slots are not looked at here.
 */
export function gate(candidate: Candidate, question: GateQuestion, spend: Spend): number {
  const { vitals, isPlain } = candidate;
  const { nowMs } = question;
  if (vitals.isResting(nowMs)) return vitals.coolingUntilMs > nowMs ? FOUND.cooling : FOUND.circuit_open;
  if (isPlain) return FOUND.eligible;
  const { expiresAtMs } = candidate.account;
  if (expiresAtMs !== undefined && expiresAtMs <= nowMs) return FOUND.expired;
  const spent = spendGate(candidate, question, spend);
  return spent === FOUND.eligible && question.isMessage ? messageGate(candidate, question) : spent;
}

function spendGate({ account }: Candidate, { isBound, nowMs }: GateQuestion, spend: Spend): number {
  if (account.quota !== undefined && spend.isQuotaReached(account, nowMs)) return FOUND.quota_reached;
  if (account.windowCost === undefined) return FOUND.eligible;
  const state = spend.windowState(account, nowMs);
  const mayPass = state === "open" || (state === "sticky-only" && isBound);
  return mayPass ? FOUND.eligible : FOUND.window_cost_reached;
}

function messageGate({ account, vitals }: Candidate, { sessionKey, isBound, nowMs }: GateQuestion): number {
  const { rpm, sessions } = account;
  if (rpm !== undefined && vitals.requestsInMinute(nowMs) >= requestsMax(rpm, isBound)) {
    return FOUND.rpm_reached;
  }
  return sessions === undefined || vitals.wouldAdmitSession(sessionKey, sessions, nowMs)
    ? FOUND.eligible
    : FOUND.session_limit_reached;
}

/**
 * How many requests of a minute there may be. Bound conversations may go beyond the limit: by the buffer, or, where the
 * strategy says so, without end.
 */
export function requestsMax({ base, strategy, stickyBuffer }: RpmLimit, isBound: boolean): number {
  if (!isBound) return base;
  return strategy === "tiered" ? base + stickyBuffer : Number.POSITIVE_INFINITY;
}
