import type { AccountId } from "#domain/ids.ts";
import type { Fault } from "#kernel/fault.ts";
import type { Lease } from "#kernel/lease.ts";
import type { Candidate, Fit, Pool } from "./candidate.ts";
import type { Choice, ChosenBy } from "./choice.ts";
import { FOUND } from "./findings.ts";
import type { SelectedAccount, Selection, SelectorParts } from "./select-account.ts";

/** A probe of a half-open circuit that has not ended after this is given up, in milliseconds. */
const PROBE_MS_MAX = 60_000;
const MS_PER_SECOND = 1_000;

/** Joining the line of one account. */
export interface WaitPlan {
  readonly kind: "wait";
  readonly choice: Choice;
  readonly candidate: Candidate;
  readonly index: number;
  readonly isBound: boolean;
  readonly waitersMax: number;
  readonly waitMsMax: number;
}

/** What choosing comes to. */
export type Plan = TakenPlan | WaitPlan;

/** An account that is the request's. */
interface TakenPlan {
  readonly kind: "taken";
  readonly choice: Choice;
  readonly selected: SelectedAccount;
}

/** A plan, or why there is none. */
export type PlanOrRefusal =
  | Plan
  | { readonly kind: "refused"; readonly choice: Choice; readonly fault: Fault };

/** One choice under way. */
export interface Deliberation {
  readonly pool: Pool;
  readonly fit: Fit;
  readonly selection: Selection;
  readonly choice: Choice;
  readonly nowMs: number;
}

interface Claim {
  readonly index: number;
  readonly lease: Lease;
  readonly by: ChosenBy;
}

/** Takes what only one request can have, and keeps the bindings of conversations. */
export class Claims {
  readonly #parts: SelectorParts;

  constructor(parts: SelectorParts) {
    this.#parts = parts;
  }

  /** Takes a free slot of a candidate and all that goes with it, or says what was found instead. */
  take(deliberation: Deliberation, index: number, by: ChosenBy): TakenPlan | number {
    const { pool, choice, selection, nowMs } = deliberation;
    const candidate = pool.candidates[index];
    if (candidate === undefined) return FOUND.disabled;
    if (this.isModelResting(candidate, selection, nowMs)) return FOUND.model_cooling;
    const { slots } = this.#parts.coordination;
    const lease = slots.tryAcquire(candidate.holder, candidate.account.concurrency);
    if (lease === undefined) return FOUND.full;
    const claimed = this.claim(deliberation, { index, lease, by });
    if (typeof claimed !== "number") return { kind: "taken", choice, selected: claimed };
    lease.release();
    return claimed;
  }

  /** Makes an account whose slot was taken the request's, or says what was found instead. */
  claim(deliberation: Deliberation, { index, lease, by }: Claim): SelectedAccount | number {
    const { pool, fit, choice, selection, nowMs } = deliberation;
    const candidate = pool.candidates[index];
    if (candidate === undefined) return FOUND.disabled;
    const { account, vitals } = candidate;
    const isProbe = vitals.circuit(nowMs) === "half-open";
    if (!vitals.tryProbe(nowMs, PROBE_MS_MAX)) return FOUND.circuit_open;
    if (!isConversationAdmitted(candidate, selection, nowMs)) {
      if (isProbe) vitals.abstained();
      return FOUND.session_limit_reached;
    }
    const isCounted = selection.pin?.isChecked === true;
    if (selection.isMessage && account.rpm !== undefined && !isCounted) vitals.countRequest(nowMs);
    vitals.used(nowMs);
    if (selection.isMessage) this.#bind(deliberation, account.id);
    choice.chosen = account.id;
    choice.chosenBy = by;
    return { ...candidate, lease, isOnly: fit.eligible === 1, isProbe };
  }

  /** The account that serves this conversation. */
  boundTo({ group, sessionKey }: Selection): AccountId | undefined {
    return this.#parts.coordination.sessions.find({ groupId: group.id, sessionKey });
  }

  unbind({ selection, choice }: Deliberation): void {
    const { group, sessionKey } = selection;
    if (choice.boundTo === undefined) return;
    this.#parts.coordination.sessions.unbind({ groupId: group.id, sessionKey }, choice.boundTo);
  }

  /** Whether the account rests for the model that is asked for. */
  isModelResting({ account }: Candidate, { model }: Selection, nowMs: number): boolean {
    return this.#parts.coordination.vitals.modelCoolingUntilMs(account.id, model) > nowMs;
  }

  /**
   * Binds a conversation to its account, or keeps the binding alive. One that only spills over, because its
   * account is full or rests for a moment, stays bound where it was.
   */
  #bind({ selection, choice }: Deliberation, chosen: AccountId): void {
    const { boundTo, left } = choice;
    if (boundTo !== undefined && boundTo !== chosen && left === undefined) return;
    const { coordination, snapshot } = this.#parts;
    const ttlMs = snapshot.settings.sticky_ttl_seconds * MS_PER_SECOND;
    const { group, sessionKey } = selection;
    coordination.sessions.bind({ groupId: group.id, sessionKey }, chosen, ttlMs);
  }
}

function isConversationAdmitted(
  { account, vitals }: Candidate,
  selection: Selection,
  nowMs: number,
): boolean {
  const { sessions } = account;
  if (!selection.isMessage || sessions === undefined) return true;
  return vitals.admitSession(selection.sessionKey, sessions, nowMs);
}
