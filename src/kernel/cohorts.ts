/** How many go on together at most, so that the first of many does not wait for the work of all. */
const COHORT_MAX = 64;

/** Those who go on together. */
interface Cohort {
  readonly going: Promise<void>;
  readonly go: () => void;
  size: number;
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
  readonly #waiting: Cohort[] = [];

  /** Settles before the event loop waits again, after all who came before; never rejects. */
  join(): Promise<void> {
    let last = this.#waiting.at(-1);
    if (last === undefined || last.size === COHORT_MAX) {
      const { promise, resolve } = Promise.withResolvers<void>();
      last = { going: promise, go: resolve, size: 0 };
      if (this.#waiting.push(last) === 1) setImmediate(this.#next);
    }
    last.size++;
    return last.going;
  }

  /** The next ones have a turn of their own, so that the former are through with what they do. */
  readonly #next = (): void => {
    const cohort = this.#waiting.shift();
    if (this.#waiting.length > 0) setImmediate(this.#next);
    cohort?.go();
  };
}
