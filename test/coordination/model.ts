/** What the threads of the model test share. */

/** What a model thread is started with. */
export interface ModelInit {
  readonly memory: SharedArrayBuffer;
  /** Leases as the threads themselves have seen them, by thread and holder; cell 0 counts violations. */
  readonly shadow: SharedArrayBuffer;
  readonly thread: number;
  readonly threads: number;
  readonly holders: number;
  readonly seed: number;
  readonly operations: number;
}

/** The cell of the shadow that counts grants beyond a limit. */
export const VIOLATIONS = 0;

/** Where a thread counts what it holds of a holder. */
export function shadowCell({ thread, holders }: Pick<ModelInit, "thread" | "holders">, id: number): number {
  return 1 + thread * holders + id;
}

/** Every second holder keeps one limit for the whole run, so that it can be held to it exactly. */
export function fixedLimit(id: number): number | undefined {
  return id % 2 === 0 ? 1 + (id % 5) : undefined;
}
