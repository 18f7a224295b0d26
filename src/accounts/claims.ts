import type {
  ClaimAnswer,
  ClaimableAccount,
  ClaimBinding,
  ClaimRefusal,
} from "#coordination/account-claims.ts";
import type { AccountId } from "#domain/ids.ts";
import { assert } from "#kernel/assert.ts";
import { type Awaitable, after } from "#kernel/awaitable.ts";
import type { Fault } from "#kernel/fault.ts";
import type { Lease } from "#kernel/lease.ts";
import type { Candidate, Fit, Pool } from "./candidate.ts";
import type { Choice, ChosenBy } from "./choice.ts";
import { FOUND } from "./findings.ts";
import { requestsMax } from "./gates.ts";
import type { SelectedAccount, Selection, SelectorParts } from "./select-account.ts";

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

/** How each refusal of a claim is called among what is found about a candidate. */
const FOUND_BY_REFUSAL: Readonly<Record<ClaimRefusal, number>> = {
  full: FOUND.full,
  circuit: FOUND.circuit_open,
  requests: FOUND.rpm_reached,
  sessions: FOUND.session_limit_reached,
};

/** Takes what only one request can have, and keeps the bindings of conversations. */
export class Claims {
  readonly #parts: SelectorParts;

  constructor(parts: SelectorParts) {
    this.#parts = parts;
  }

  /** How many candidates are worth trying at once. */
  get candidatesMax(): number {
    return this.#parts.coordination.claims.accountsMax;
  }

  /**
   * Takes a free slot of the first of these candidates that has one, and all that goes with it. What was found instead
   * of each goes into `findings`.
   */
  take(
    deliberation: Deliberation,
    indices: readonly number[],
    by: ChosenBy,
    findings: Uint8Array,
  ): Awaitable<TakenPlan | undefined> {
    const { pool, selection, nowMs } = deliberation;
    const open: number[] = [];
    for (const index of indices) {
      const candidate = pool.candidates[index];
      if (candidate === undefined) continue;
      if (this.isModelResting(candidate, selection, nowMs)) findings[index] = FOUND.model_cooling;
      else open.push(index);
    }
    if (open.length === 0) return undefined;
    const asked = { deliberation, open, by, findings };
    const answer = this.#claim(deliberation, open);
    return answer instanceof Promise ? this.#takenLater(asked, answer) : this.#taken(asked, answer);
  }

  #taken({ deliberation, open, by, findings }: Asked, answer: ClaimAnswer): TakenPlan | undefined {
    const { refusals } = answer;
    for (let place = 0; place < refusals.length; place++) {
      const refusal = refusals[place];
      if (refusal !== undefined) findings[open[place] ?? 0] = FOUND_BY_REFUSAL[refusal];
    }
    if (!answer.granted) return undefined;
    const { isProbe, lease, index } = answer;
    return {
      kind: "taken",
      choice: deliberation.choice,
      selected: this.#chosen(deliberation, open[index] ?? 0, { isProbe, lease, by }),
    };
  }

  async #takenLater(asked: Asked, answer: Promise<ClaimAnswer>): Promise<TakenPlan | undefined> {
    return this.#taken(asked, await answer);
  }

  /** Makes an account whose slot was waited for the request's; undefined when it may not be. */
  claimHeld(deliberation: Deliberation, index: number, lease: Lease): Awaitable<SelectedAccount | undefined> {
    return after(this.#claim(deliberation, [index], lease), (answer) => {
      if (!answer.granted) return undefined;
      return this.#chosen(deliberation, index, { isProbe: answer.isProbe, lease, by: "waiting" });
    });
  }

  /** The account that serves this conversation. */
  boundTo({ group, sessionKey }: Selection): Awaitable<AccountId | undefined> {
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

  #claim(deliberation: Deliberation, indices: readonly number[], lease?: Lease): Awaitable<ClaimAnswer> {
    const { pool, selection, nowMs } = deliberation;
    const { group, sessionKey } = selection;
    const accounts: ClaimableAccount[] = [];
    for (const index of indices) {
      const candidate = pool.candidates[index];
      if (candidate !== undefined) accounts.push(claimable(candidate, deliberation));
    }
    return this.#parts.coordination.claims.claim({
      accounts,
      lease,
      session: { groupId: group.id, sessionKey },
      binding: selection.isMessage ? this.#bindingOf(deliberation) : undefined,
      nowMs,
    });
  }

  /** One that only spills over, because its account is full or rests for a moment, stays bound where it was. */
  #bindingOf({ choice: { boundTo, left } }: Deliberation): ClaimBinding {
    const ttlMs = this.#parts.snapshot.settings.sticky_ttl_seconds * MS_PER_SECOND;
    return { ttlMs, staysAt: left === undefined ? boundTo : undefined };
  }

  #chosen({ pool, choice, fit }: Deliberation, index: number, claimed: Claimed): SelectedAccount {
    const { lease, isProbe, by } = claimed;
    const candidate = pool.candidates[index];
    assert(candidate, "what was claimed was a candidate");
    choice.chosen = candidate.account.id;
    choice.chosenBy = by;
    const { account, vitals } = candidate;
    return { account, vitals, lease, isProbe, isOnly: fit.eligible === 1, hasWaited: by === "waiting" };
  }
}

/** What of which candidates was claimed. */
interface Asked {
  readonly deliberation: Deliberation;
  /** Of the candidates, those whose accounts were asked for. */
  readonly open: readonly number[];
  readonly by: ChosenBy;
  readonly findings: Uint8Array;
}

interface Claimed {
  readonly lease: Lease;
  readonly isProbe: boolean;
  readonly by: ChosenBy;
}

function claimable({ account }: Candidate, { selection, choice }: Deliberation): ClaimableAccount {
  const { id, concurrency, rpm, sessions } = account;
  const isCounted = selection.isMessage && rpm !== undefined && selection.pin?.isChecked !== true;
  return {
    id,
    concurrency,
    requestsMax: isCounted ? requestsMax(rpm, choice.boundTo === id) : undefined,
    sessions: selection.isMessage ? sessions : undefined,
  };
}
