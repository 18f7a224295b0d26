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
/** No slot is free. */
export const FULL = -1;

/** Requests of an account that are under way or waiting; `FULL` when every slot is taken or spoken for. */
export function busyOf({ concurrency, vitals }: Candidate): number {
  const { inFlight, waiting } = vitals;
  return concurrency > 0 && (waiting > 0 || inFlight >= concurrency) ? FULL : inFlight + waiting;
}

/**
 * Finds the best candidate to send to now among those that are offered: with room left in its rate limits, then
 * of the lowest priority number, the lowest load, the longest unused; chance decides between equals.
 *
 * Nothing is sorted and nothing allocated per candidate, and the figures of the best so far are plain fields,
 * because for every request each account of a group is offered.
 */
export class Best {
  /** Of the best so far; `NONE` before the first offer. */
  index = NONE;
  private readonly nowMs: number;
  private readonly headroomMin: number;
  private equals = 0;
  private tight = 0;
  private priority = 0;
  private load = 0;
  private used = 0;

  constructor({ nowMs, settings }: RankingTerms) {
    this.nowMs = nowMs;
    this.headroomMin = settings.rate_limit_headroom;
  }

  /** @param busy its requests that are under way or waiting. */
  offer(index: number, { loadFactor, priority, vitals }: Candidate, busy: number): void {
    const tight = vitals.headroom(this.nowMs) < this.headroomMin ? 1 : 0;
    const load = busy / loadFactor;
    const used = vitals.lastUsedMs;
    const order = tight - this.tight || priority - this.priority || load - this.load || used - this.used;
    if (this.index !== NONE && order > 0) return;
    this.equals = this.index !== NONE && order === 0 ? this.equals + 1 : 1;
    if (this.equals > 1 && randomBelow(this.equals) !== 0) return;
    this.index = index;
    this.tight = tight;
    this.priority = priority;
    this.load = load;
    this.used = used;
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
    if (candidate !== undefined && findings[index] === FOUND.eligible)
      best.offer(index, candidate, busyOf(candidate));
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
    const load = (candidate.vitals.inFlight + candidate.vitals.waiting) / candidate.loadFactor;
    const other = candidates[best];
    const order =
      other === undefined
        ? -1
        : load - bestLoad ||
          candidate.priority - other.priority ||
          candidate.vitals.lastUsedMs - other.vitals.lastUsedMs;
    if (order >= 0) continue;
    best = index;
    bestLoad = load;
  }
  return best;
}
