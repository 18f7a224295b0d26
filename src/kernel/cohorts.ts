/** How many go on together at most, so that the first of many does not wait for the work of all. */
const COHORT_MAX = 64;

/** Somebody who waits for the others. */
export interface CohortMember {
  /** Called once, when it is time; must not throw. The work itself is done behind a promise that this settles. */
  goOn(): void;
}

/**
 * Lets those who come to the same point within one turn of the event loop go on together.
 *
 * One request after the other, each passes through megabytes of code that its predecessor has pushed out of the
 * processor's caches. Side by side they pass through it once: what one has brought in serves all of them. See J. Larus
 * and M. Parkes, "Using Cohort Scheduling to Enhance Server Performance", USENIX 2002. Where nobody else comes, the
 * wait is the rest of the turn: what else there is to be done, and never for anything from outside.
 */
export class Cohorts {
  /** Those that have not gone on yet, in the order in which they came. */
  #waiting: CohortMember[] = [];

  /** Its {@link CohortMember.goOn} is called before the event loop waits again, after those of all who came before. */
  enter(member: CohortMember): void {
    if (this.#waiting.push(member) === 1) setImmediate(this.#next);
  }

  /** Those beyond the bound have a turn of their own, so that the former are through with what they do. */
  readonly #next = (): void => {
    const waiting = this.#waiting;
    this.#waiting = waiting.length > COHORT_MAX ? waiting.splice(COHORT_MAX) : [];
    if (this.#waiting.length > 0) setImmediate(this.#next);
    for (const member of waiting) member.goOn();
  };
}
