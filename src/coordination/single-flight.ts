/** The right to do what only one may do at a time, over all nodes. */
export interface Office {
  /** Above that of every holder before: what is written with a lower one was written by one that was thought dead. */
  readonly token: number;
  /** Aborts when the right is lost, at the latest before another one gets it. */
  readonly signal: AbortSignal;
}

/**
 * Work that must be done by one node only, such as renewing a credential or deleting what is old.
 *
 * One holder at a time; when it dies, another one can follow within fifteen seconds. While nobody can be sure of being
 * the only one, nobody is.
 */
export interface SingleFlight {
  /**
   * Does the work if nobody else is doing it, and keeps the others out until it has ended. Undefined: somebody else is
   * doing it, or it cannot be told. `task` is made of letters, digits, `-`, `.` and `:`.
   */
  run<T>(task: string, work: (office: Office) => Promise<T>): Promise<T | undefined>;
}
