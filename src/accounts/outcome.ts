import type { Account } from "#domain/account.ts";
import type { CoolingReason } from "#domain/account-event.ts";
import type { Fault, UpstreamAnswer } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import type { RateLimits } from "#providers/provider.ts";
import {
  minutesUntilMs,
  overloadedUntilMs,
  type RestTerms,
  rateLimitedUntilMs,
  unavailableUntilMs,
} from "./cooldown.ts";
import { handledWords, refusalWords } from "./upstream-words.ts";

/** What is done to an account, and why, in words for operators. Times are milliseconds since the Unix epoch. */
export type Action =
  | {
      readonly kind: "cool";
      readonly untilMs: number;
      readonly cooling: CoolingReason;
      readonly why: string;
    }
  | { readonly kind: "cool-model"; readonly untilMs: number; readonly why: string }
  /** Out of use until an operator says otherwise. */
  | { readonly kind: "fail"; readonly cooling: CoolingReason; readonly why: string };

/** What a failed attempt says about its account. */
export interface Verdict {
  /** Undefined: nothing. Otherwise another account may be able to serve, even if the fault alone denies it. */
  readonly action: Action | undefined;
  /** It counts towards the circuit and the measured share of failures. */
  readonly countsAsFailure: boolean;
  /** The account's own rules allow to ask it again. */
  readonly retrySame: boolean;
}

/** What a verdict rests on besides the fault. */
export interface OutcomeFacts extends RestTerms {
  readonly account: Account;
  readonly limits: RateLimits;
  readonly isOnlyAccount: boolean;
  /** Whether the request itself holds these words, in lower case: an answer may only be quoting them. */
  readonly isQuoted: (words: string) => boolean;
}

const NOTHING: Verdict = { action: undefined, countsAsFailure: false, retrySame: false };
const FAILURE: Verdict = { ...NOTHING, countsAsFailure: true };
const ASK_AGAIN: Verdict = { ...NOTHING, retrySame: true };

/** Refusals that the next member of a pool may not repeat. */
const POOL_RETRIED: ReadonlySet<number> = new Set([401, 403, 429]);

/** Faults that take an account out of use for good, whether or not they were chosen to. */
const LASTING: ReadonlySet<FaultCode> = new Set(["upstream.credential_rejected", "upstream.forbidden"]);

/** Its message is about the credential, which no pause mends, so rules do not look at it. */
const UNRULED_STATUS = 401;

/**
 * Decides what a failed attempt means for its account. Nothing is changed here, except that a refusal without a
 * hint is counted where the length of a rest depends on it.
 *
 * What came without an answer is a failure of the upstream, even of a pool's. An answer is looked at in this
 * order: accounts that stand for a pool are left alone; those that handle chosen statuses are left alone for all
 * others; the account's rules; the chosen statuses; and last what the status usually means.
 */
export function judge(fault: Fault, facts: OutcomeFacts): Verdict {
  const { upstream } = fault;
  const isUnreachable = fault.source === "upstream" || fault.code === "upstream.forbidden_address";
  if (upstream === undefined) return isUnreachable ? FAILURE : NOTHING;
  const { account } = facts;
  const { handledStatuses, isPool } = account;
  const isLeftAlone = handledStatuses === undefined ? isPool : !isHandled(handledStatuses, fault, upstream);
  if (isLeftAlone) return isPool && POOL_RETRIED.has(upstream.status) ? ASK_AGAIN : NOTHING;
  const ruled = byRule(fault, upstream, facts);
  if (ruled !== undefined) return only(ruled);
  if (handledStatuses === undefined || LASTING.has(fault.code)) return byMeaning(fault, upstream, facts);
  return only({ kind: "fail", cooling: "forbidden", why: handledWords(upstream) });
}

function only(action: Action): Verdict {
  return { ...NOTHING, action };
}

/** An empty list means all that can be the account's fault; a client's mistake is so only where it is listed. */
function isHandled(statuses: readonly number[], { source }: Fault, { status }: UpstreamAnswer): boolean {
  return statuses.length === 0 ? source === "upstream" : statuses.includes(status);
}

/** Where the client is at fault, words that it has written itself take no account out of use. */
function byRule(
  { source }: Fault,
  { status, body }: UpstreamAnswer,
  { account, isQuoted, nowMs }: OutcomeFacts,
): Action | undefined {
  const fitting = account.unschedulableRules.filter((rule) => rule.status === status);
  if (fitting.length === 0 || status === UNRULED_STATUS) return undefined;
  const text = new TextDecoder().decode(body).toLowerCase();
  for (const { keywords, minutes, scope } of fitting) {
    const keyword = keywords.find((word) => text.includes(word) && !(source === "client" && isQuoted(word)));
    if (keyword === undefined) continue;
    const untilMs = minutesUntilMs(nowMs, minutes);
    const why = `Rule: status ${status} with "${keyword}"`;
    return scope === "model"
      ? { kind: "cool-model", untilMs, why }
      : { kind: "cool", untilMs, cooling: "rule", why };
  }
  return undefined;
}

function byMeaning(fault: Fault, upstream: UpstreamAnswer, facts: OutcomeFacts): Verdict {
  const why = refusalWords(fault, upstream);
  switch (fault.code) {
    case "upstream.rejected":
      return NOTHING;
    case "upstream.credential_rejected":
      return only({ kind: "fail", cooling: "credential_rejected", why });
    case "upstream.forbidden":
      return only({ kind: "fail", cooling: "forbidden", why });
    case "upstream.rate_limited":
      return cooled(NOTHING, "rate_limited", rateLimitedUntilMs(fault, facts.limits, facts), why);
    case "upstream.overloaded":
      return cooled(FAILURE, "overloaded", overloadedUntilMs(fault, facts.isOnlyAccount, facts), why);
    default:
      return cooled(FAILURE, "overloaded", unavailableUntilMs(fault, facts), why);
  }
}

function cooled(verdict: Verdict, cooling: CoolingReason, untilMs: number | undefined, why: string): Verdict {
  return untilMs === undefined ? verdict : { ...verdict, action: { kind: "cool", untilMs, cooling, why } };
}
