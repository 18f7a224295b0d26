/** What the threads of the hammer test for holds share. */

/** What a hammer thread is started with. */
export interface HoldsHammerInit {
  readonly memory: SharedArrayBuffer;
  /**
   * What the threads themselves have seen spent or held: violations, takes, a sum per purse, then what each
   * thread has of each. A thread adds to its own first and to the sum then, and the other way round when it
   * takes away, so a sum is never more than what really counts; one that is killed in between only lowers it.
   */
  readonly shadow: SharedArrayBuffer;
  readonly thread: number;
  readonly seed: number;
  /** 0: until it is killed. */
  readonly rounds: number;
}

export const VIOLATIONS = 0;
export const TAKES = 1;
/** Purses that the threads fight for, and what each has. */
export const HAMMERED = 2;
export const AVAILABLE = 100;

/** Where all that counts against a purse is added up. */
export function sumAt(purse: number): number {
  return 2 + purse;
}

/** Where a thread adds up its own part of that. */
export function ownAt(thread: number, purse: number): number {
  return 2 + HAMMERED + thread * HAMMERED + purse;
}
