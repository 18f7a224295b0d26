import { randomBelow } from "#kernel/random.ts";
import type { Candidate } from "./candidate.ts";
import { FOUND } from "./findings.ts";

/** What candidates are looked at for. */
export interface SurveyTerms {
  readonly nowMs: number;
  /** An account with a smaller share of a rate limit left is used last. */
  readonly headroomMin: number;
  /** What is found about a candidate that has limits besides its slots. */
  readonly gate: (candidate: Candidate, index: number) => number;
}

/** Index of none. */
export const NONE = -1;

/**
 * Looks at every candidate whose finding is `eligible`, notes what keeps it from being sent to now, and gives the
 * index of the best of the others: with room left in its rate limits, then of the lowest priority number, the
 * lowest load, the longest unused; chance decides between equals.
 *
 * One flat loop in which nothing is allocated: this runs for every request over every account of a group.
 */
// biome-ignore lint/complexity/noExcessiveCognitiveComplexity: taken apart it costs twice as much.
export function survey(
  candidates: readonly Candidate[],
  findings: Uint8Array,
  { nowMs, headroomMin, gate }: SurveyTerms,
): number {
  let best = NONE;
  let bestTight = 0;
  let bestPriority = 0;
  let bestLoad = 0;
  let bestUsed = 0;
  let equals = 0;
  for (let index = 0; index < candidates.length; index++) {
    const candidate = candidates[index];
    if (candidate === undefined || findings[index] !== FOUND.eligible) continue;
    const { vitals, priority, concurrency } = candidate;
    if (!candidate.isPlain || vitals.isResting(nowMs)) {
      const found = gate(candidate, index);
      findings[index] = found;
      if (found !== FOUND.eligible) continue;
    }
    const { inFlight, waiting } = vitals;
    if (concurrency > 0 && (waiting > 0 || inFlight >= concurrency)) {
      findings[index] = FOUND.full;
      continue;
    }
    const tight = vitals.headroom(nowMs) < headroomMin ? 1 : 0;
    const load = (inFlight + waiting) / candidate.loadFactor;
    const used = vitals.lastUsedMs;
    const order =
      best === NONE ? -1 : tight - bestTight || priority - bestPriority || load - bestLoad || used - bestUsed;
    if (order > 0) continue;
    equals = order === 0 ? equals + 1 : 1;
    if (equals > 1 && randomBelow(equals) !== 0) continue;
    best = index;
    bestTight = tight;
    bestPriority = priority;
    bestLoad = load;
    bestUsed = used;
  }
  return best;
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
