/** What the threads of the hammer test share. */

/** What a hammer thread is started with. */
export interface HammerInit {
  readonly memory: SharedArrayBuffer;
  /** Cell 0 counts wrong answers, cell 1 answers that were right; then, per account, who got to probe it. */
  readonly tally: SharedArrayBuffer;
  readonly thread: number;
  readonly nowMs: number;
  /** Rounds of work; 0 means until it is ended from outside, and then it counts no requests and probes nothing. */
  readonly rounds: number;
}

/** Cells of the tally. */
export const WRONG = 0;
export const RIGHT = 1;
export const PROBERS = 2;

/** Accounts whose circuits are half-open, so that each may be probed once. */
export const PROBED = 300;
/** The account for which every thread counts requests. */
export const COUNTED = 1_000;
/** Conversations; far more than the table has room for. */
export const SESSIONS = 400;
