/** What the threads of the model test share. */

/** What a model thread is started with. */
export interface ModelInit {
  readonly memory: SharedArrayBuffer;
  /**
   * Leases as the threads themselves have seen them: cell 0 counts violations, then the sum of each holder,
   * then what each thread holds of each. A thread counts after it was granted and uncounts before it releases,
   * so a sum is never more than what is really held; one that is killed in between only lowers it.
   */
  readonly shadow: SharedArrayBuffer;
  readonly thread: number;
  readonly threads: number;
  readonly holders: number;
  readonly seed: number;
  readonly operations: number;
}

/** The cell of the shadow that counts grants beyond a limit. */
export const VIOLATIONS = 0;

/** Where everything that is held of a holder is counted. */
export function sumCell(id: number): number {
  return 1 + id;
}

/** Where a thread counts what it holds of a holder. */
export function shadowCell({ thread, holders }: Pick<ModelInit, "thread" | "holders">, id: number): number {
  return 1 + holders + thread * holders + id;
}

/** Every second holder keeps one limit for the whole run, so that it can be held to it exactly. */
export function fixedLimit(id: number): number | undefined {
  return id % 2 === 0 ? 1 + (id % 5) : undefined;
}
