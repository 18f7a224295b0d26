import type { AccountId } from "#domain/ids.ts";
import { type Awaitable, after } from "#kernel/awaitable.ts";
import type { Lease } from "#kernel/lease.ts";
import type { Candidate, Pool } from "./candidate.ts";
import { Choice, type ChosenBy } from "./choice.ts";
import { Claims, type Deliberation, type Plan, type PlanOrRefusal, type WaitPlan } from "./claims.ts";
import { FOUND, isLasting } from "./findings.ts";
import { gate } from "./gates.ts";
import { bestToWaitFor, NONE, type SurveyTerms, survey } from "./ranking.ts";
import type { Pin, SelectedAccount, Selection, SelectorParts } from "./select-account.ts";
import { type ResetTimes, soonestRetryMs, unavailableFault } from "./unavailable.ts";

/** Attempts that a bound account's measured figures must rest on before a conversation leaves it for them. */
const ESCAPE_SAMPLES_MIN = 5;
/**
 * A conversation stays bound to an account that rests for less than this, in milliseconds: coming back to what
 * the upstream has cached (for five minutes) is worth more than staying with a substitute.
 */
const REST_MS_TO_LEAVE = 60_000;
const MS_PER_SECOND = 1_000;

/**
 * Decides, without waiting for anything, which account is to serve a request. In this order: the account that
 * must be asked again; the one the conversation is bound to; of those that the group's routing names, and then
 * of all, the best with a free slot; the line of the best.
 */
export class Chooser {
  readonly #parts: SelectorParts;
  readonly #claims: Claims;

  constructor(parts: SelectorParts) {
    this.#parts = parts;
    this.#claims = new Claims(parts);
  }

  choose(pool: Pool, selection: Selection): Awaitable<PlanOrRefusal> {
    const boundTo = this.#claims.boundTo(selection);
    return boundTo instanceof Promise
      ? this.#decideLater(pool, selection, boundTo)
      : this.#decide(pool, selection, boundTo);
  }

  async #decideLater(
    pool: Pool,
    selection: Selection,
    boundTo: Promise<AccountId | undefined>,
  ): Promise<PlanOrRefusal> {
    return this.#decide(pool, selection, await boundTo);
  }

  #decide(pool: Pool, selection: Selection, boundTo: AccountId | undefined): Awaitable<PlanOrRefusal> {
    const nowMs = this.#parts.clock.now();
    const fit = pool.fit(selection.model);
    const { candidates, ids } = pool;
    const choice = new Choice({ candidates, ids, findings: fit.findings.slice(), atMs: nowMs, boundTo });
    const deliberation = { pool, fit, selection, choice, nowMs };
    const { pin } = selection;
    return pin === undefined ? this.#decideFreely(deliberation) : this.#decidePinned(deliberation, pin);
  }

  #decidePinned(deliberation: Deliberation, pin: Pin): Awaitable<PlanOrRefusal> {
    return after(this.#pinned(deliberation, pin), (pinned) => {
      if (!pin.isChecked) return pinned ?? this.#refused(deliberation);
      return pinned ?? this.#decideFreely(deliberation);
    });
  }

  #decideFreely(deliberation: Deliberation): Awaitable<PlanOrRefusal> {
    const bound = this.#byBinding(deliberation);
    return bound instanceof Promise
      ? this.#byLoadUnless(bound, deliberation)
      : (bound ?? this.#byLoad(deliberation));
  }

  async #byLoadUnless(bound: Promise<Plan | undefined>, deliberation: Deliberation): Promise<PlanOrRefusal> {
    return (await bound) ?? (await this.#byLoad(deliberation));
  }

  /**
   * Whether the account that was waited for may still serve the request, as things are now; it is then the
   * request's. Undefined: choose again.
   */
  confirm(
    pool: Pool,
    selection: Selection,
    plan: WaitPlan,
    lease: Lease,
  ): Awaitable<SelectedAccount | undefined> {
    const index = pool.indexOf(plan.candidate.account.id);
    const candidate = index === undefined ? undefined : pool.candidates[index];
    if (index === undefined || candidate === undefined) return undefined;
    const fit = pool.fit(selection.model);
    const nowMs = this.#parts.clock.now();
    const deliberation = { pool, fit, selection, choice: plan.choice, nowMs };
    const lasting = fit.findings[index] ?? FOUND.disabled;
    const found = lasting === FOUND.eligible ? this.#gate(deliberation, candidate, plan.isBound) : lasting;
    if (found !== FOUND.eligible || this.#claims.isModelResting(candidate, selection, nowMs))
      return undefined;
    return this.#claims.claimHeld(deliberation, index, lease);
  }

  soonestRetryMs(choice: Choice, model: string): number | undefined {
    return soonestRetryMs(choice, this.#timesFor(model));
  }

  #timesFor(model: string): ResetTimes {
    const { spend, coordination } = this.#parts;
    return { spend, modelRestUntilMs: (id) => coordination.vitals.modelCoolingUntilMs(id, model) };
  }

  #pinned(deliberation: Deliberation, { account, isChecked }: Pin): Awaitable<Plan | undefined> {
    const { pool, fit } = deliberation;
    const index = pool.indexOf(account) ?? NONE;
    const candidate = pool.candidates[index];
    if (candidate === undefined || fit.findings[index] !== FOUND.eligible) return undefined;
    if (isChecked && this.#gate(deliberation, candidate, true) !== FOUND.eligible) return undefined;
    return this.#takeOrWait(deliberation, index, "pin");
  }

  #byBinding(deliberation: Deliberation): Awaitable<Plan | undefined> {
    const { pool, choice, selection } = deliberation;
    if (choice.boundTo === undefined) return undefined;
    const index = pool.indexOf(choice.boundTo);
    const candidate = index === undefined ? undefined : pool.candidates[index];
    choice.left = this.#whyLeave(deliberation, index, candidate);
    if (index === undefined || candidate === undefined || choice.left !== undefined) {
      if (choice.left === "gone" || choice.left === "cannot_serve") this.#claims.unbind(deliberation);
      return undefined;
    }
    if (selection.exclude.has(choice.boundTo)) return undefined;
    const found = this.#gate(deliberation, candidate, true);
    if (found === FOUND.eligible) return this.#takeOrWait(deliberation, index, "binding");
    choice.findings[index] = found;
    return undefined;
  }

  #whyLeave(
    { fit, selection, nowMs }: Deliberation,
    index: number | undefined,
    candidate: Candidate | undefined,
  ): Choice["left"] {
    if (index === undefined || candidate === undefined) return "gone";
    if (isLasting(fit.findings[index] ?? FOUND.disabled) || fit.routed?.[index] === 0) return "cannot_serve";
    if (this.#claims.isModelResting(candidate, selection, nowMs)) return "cannot_serve";
    const { vitals } = candidate;
    if (vitals.coolingUntilMs - nowMs > REST_MS_TO_LEAVE) return "resting";
    const { settings } = this.#parts.snapshot;
    const isBad =
      vitals.firstTokenMs > settings.sticky_escape_first_token_ms ||
      vitals.errorRate > settings.sticky_escape_error_rate;
    const isEscape = isBad && vitals.samples >= ESCAPE_SAMPLES_MIN && fit.eligible > 1;
    return isEscape ? "slow_or_failing" : undefined;
  }

  #byLoad(deliberation: Deliberation): Awaitable<PlanOrRefusal> {
    const { pool, choice, fit, selection } = deliberation;
    if (selection.exclude.size > 0) markExcluded(pool, choice.findings, selection.exclude);
    return fit.routed === undefined
      ? this.#fromAll(deliberation)
      : this.#fromRoutedOrAll(deliberation, fit.routed);
  }

  #fromRoutedOrAll(deliberation: Deliberation, routed: Uint8Array): Awaitable<PlanOrRefusal> {
    return after(this.#fromRouted(deliberation, routed), (plan) => plan ?? this.#fromAll(deliberation));
  }

  #fromAll(deliberation: Deliberation): Awaitable<PlanOrRefusal> {
    const plan = this.#from(deliberation, deliberation.choice.findings);
    return plan instanceof Promise
      ? this.#orRefused(plan, deliberation)
      : (plan ?? this.#refused(deliberation));
  }

  async #orRefused(plan: Promise<Plan | undefined>, deliberation: Deliberation): Promise<PlanOrRefusal> {
    return (await plan) ?? this.#refused(deliberation);
  }

  /** Those that routing names come first; where none of them may serve the request, all others may. */
  #fromRouted(deliberation: Deliberation, routed: Uint8Array): Awaitable<Plan | undefined> {
    const { choice } = deliberation;
    const named = choice.findings.map((found, index) => (routed[index] === 1 ? found : FOUND.not_routed));
    return after(this.#from(deliberation, named), (plan) => {
      // What was found about them counts; the others are looked at only if they are needed.
      for (const [index, found] of named.entries()) {
        if (routed[index] === 1 || plan !== undefined) choice.findings[index] = found;
      }
      return plan;
    });
  }

  /** The best of those that are eligible, else the line of the best. */
  #from(deliberation: Deliberation, findings: Uint8Array): Awaitable<Plan | undefined> {
    // Each round takes at least one of them out, so there are no more rounds than candidates.
    for (;;) {
      const best = this.#bestOf(deliberation, findings);
      if (best.length === 0) return this.#lineOf(deliberation, findings);
      const taken = this.#claims.take(deliberation, best, "load", findings);
      if (taken instanceof Promise) return this.#goOn(taken, deliberation, findings);
      if (taken !== undefined) return taken;
    }
  }

  async #goOn(
    asked: Promise<Plan | undefined>,
    deliberation: Deliberation,
    findings: Uint8Array,
  ): Promise<Plan | undefined> {
    return (await asked) ?? (await this.#from(deliberation, findings));
  }

  /** The best candidates, in order, as many as are worth trying at once. */
  #bestOf(deliberation: Deliberation, findings: Uint8Array): readonly number[] {
    const { candidates } = deliberation.pool;
    const terms = this.#termsOf(deliberation);
    const best: number[] = [];
    while (best.length < this.#claims.candidatesMax) {
      const index = survey(candidates, findings, terms);
      if (index === NONE) break;
      best.push(index);
      // Out of the way while the next one is looked for.
      if (this.#claims.candidatesMax > 1) findings[index] = FOUND.chosen;
    }
    for (const index of best) findings[index] = FOUND.eligible;
    return best;
  }

  #termsOf(deliberation: Deliberation): SurveyTerms {
    const { pool, choice, nowMs } = deliberation;
    const boundIndex = pool.indexOf(choice.boundTo);
    return {
      nowMs,
      headroomMin: this.#parts.snapshot.settings.rate_limit_headroom,
      gate: (candidate, index) => this.#gate(deliberation, candidate, index === boundIndex),
    };
  }

  /** The shortest line that is not too long to join. */
  #lineOf(deliberation: Deliberation, findings: Uint8Array): Plan | undefined {
    const { pool, choice } = deliberation;
    const { waitersMax, waitMsMax } = this.#parts;
    for (let tries = 0; tries <= findings.length; tries++) {
      const index = bestToWaitFor(pool.candidates, findings);
      const candidate = pool.candidates[index];
      if (candidate === undefined) return undefined;
      if (candidate.vitals.waiting < waitersMax) {
        return { kind: "wait", choice, candidate, index, isBound: false, waitersMax, waitMsMax };
      }
      findings[index] = FOUND.queue_full;
      choice.findings[index] = FOUND.queue_full;
    }
    return undefined;
  }

  /** The bound account, or its line while that is short; undefined lets the request spill over. */
  #takeOrWait(deliberation: Deliberation, index: number, by: ChosenBy): Awaitable<Plan | undefined> {
    const taken = this.#claims.take(deliberation, [index], by, deliberation.choice.findings);
    return taken instanceof Promise
      ? this.#orWaitForBound(taken, deliberation, index)
      : (taken ?? this.#waitForBound(deliberation, index));
  }

  async #orWaitForBound(
    taken: Promise<Plan | undefined>,
    deliberation: Deliberation,
    index: number,
  ): Promise<Plan | undefined> {
    return (await taken) ?? this.#waitForBound(deliberation, index);
  }

  #waitForBound({ pool, choice }: Deliberation, index: number): WaitPlan | undefined {
    const candidate = pool.candidates[index];
    if (candidate === undefined) return undefined;
    const { settings } = this.#parts.snapshot;
    const waitersMax = settings.sticky_waiters_max;
    if (choice.findings[index] !== FOUND.full || candidate.vitals.waiting >= waitersMax) {
      // Looked at anew among the others, with their longer lines.
      choice.findings[index] = FOUND.eligible;
      return undefined;
    }
    const waitMsMax = settings.sticky_wait_seconds * MS_PER_SECOND;
    return { kind: "wait", choice, candidate, index, isBound: true, waitersMax, waitMsMax };
  }

  #gate({ selection, nowMs }: Deliberation, candidate: Candidate, isBound: boolean): number {
    const { sessionKey, isMessage } = selection;
    return gate(candidate, { sessionKey, isBound, isMessage, nowMs }, this.#parts.spend);
  }

  #refused({ choice, selection }: Deliberation): PlanOrRefusal {
    const fault = unavailableFault(choice, this.#timesFor(selection.model));
    return { kind: "refused", choice, fault };
  }
}

function markExcluded(pool: Pool, findings: Uint8Array, exclude: ReadonlySet<AccountId>): void {
  for (const id of exclude) {
    const index = pool.indexOf(id);
    if (index !== undefined && findings[index] === FOUND.eligible) findings[index] = FOUND.excluded;
  }
}
