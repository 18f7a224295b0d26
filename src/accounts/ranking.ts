import type { RuntimeSettings } from "#domain/settings.ts";
import { randomBelow } from "#kernel/random.ts";
import type { Candidate } from "./candidate.ts";
import { FOUND } from "./findings.ts";

/** What candidates are compared by besides their own figures. */
export interface RankingTerms {
  readonly nowMs: number;
  readonly settings: Pick<RuntimeSettings, "rate_limit_headroom">;
}

/** Index of none. */
export const NONE = -1;

/** Whether every slot of an account is taken or spoken for. */
export function isFull({ account, vitals }: Candidate): boolean {
  return account.concurrency > 0 && (vitals.waiting > 0 || vitals.inFlight >= account.concurrency);
}

/** Requests that are under way or waiting, per unit of what the account is meant to bear. */
function loadOf({ account, vitals }: Candidate): number {
  return (vitals.inFlight + vitals.waiting) / account.loadFactor;
}

/**
 * Finds the best candidate to send to now among those that are offered: with room left in its rate limits, then
 * of the lowest priority number, the lowest load, the longest unused; chance decides between equals.
 *
 * Nothing is sorted and nothing allocated per candidate: for every request each account of a group is offered.
 */
export class Best {
  /** Of the best so far; `NONE` before the first offer. */
  index = NONE;
  readonly #nowMs: number;
  readonly #headroomMin: number;
  #equals = 0;
  #tight = 0;
  #priority = 0;
  #load = 0;
  #used = 0;

  constructor({ nowMs, settings }: RankingTerms) {
    this.#nowMs = nowMs;
    this.#headroomMin = settings.rate_limit_headroom;
  }

  offer(index: number, { account, vitals }: Candidate): void {
    const tight = vitals.headroom(this.#nowMs) < this.#headroomMin ? 1 : 0;
    const { priority } = account;
    const load = (vitals.inFlight + vitals.waiting) / account.loadFactor;
    const used = vitals.lastUsedMs;
    const order = tight - this.#tight || priority - this.#priority || load - this.#load || used - this.#used;
    if (this.index !== NONE && order > 0) return;
    this.#equals = this.index !== NONE && order === 0 ? this.#equals + 1 : 1;
    if (this.#equals > 1 && randomBelow(this.#equals) !== 0) return;
    this.index = index;
    this.#tight = tight;
    this.#priority = priority;
    this.#load = load;
    this.#used = used;
  }
}

/** The best of those whose finding is `eligible`. */
export function bestToSend(
  candidates: readonly Candidate[],
  findings: Uint8Array,
  terms: RankingTerms,
): number {
  const best = new Best(terms);
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index];
    if (candidate !== undefined && findings[index] === FOUND.eligible) best.offer(index, candidate);
  }
  return best.index;
}

/**
 * The best candidate to wait for, of those whose finding is `full`: the one with the lowest load, because its
 * line is the shortest for what it can bear, then of the lowest priority number, then the longest unused.
 */
export function bestToWaitFor(candidates: readonly Candidate[], findings: Uint8Array): number {
  let best = NONE;
  let bestLoad = 0;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index];
    if (candidate === undefined || findings[index] !== FOUND.full) continue;
    const load = loadOf(candidate);
    const other = candidates[best];
    const order =
      other === undefined
        ? -1
        : load - bestLoad ||
          candidate.account.priority - other.account.priority ||
          candidate.vitals.lastUsedMs - other.vitals.lastUsedMs;
    if (order >= 0) continue;
    best = index;
    bestLoad = load;
  }
  return best;
}
