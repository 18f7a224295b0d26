/** Locks of one cell: 0 is free, else the number of the thread that has it, + 1. */

/** How long a lock may be contended before the process is taken to be broken, in milliseconds. */
const LOCK_WAIT_MS_MAX = 10_000;
const LOCK_SPINS = 200;

/**
 * Takes a lock. Spins briefly, then sleeps in steps of a millisecond: the holder is gone after a few hundred
 * nanoseconds.
 *
 * @throws Error when the lock is not given back in time, which only a broken process can cause.
 */
export function lockCell(cells: Int32Array, cell: number, thread: number): void {
  for (let spin = 0; spin < LOCK_SPINS; spin++) {
    if (tryLockCell(cells, cell, thread)) return;
  }
  for (let waitedMs = 0; waitedMs < LOCK_WAIT_MS_MAX; waitedMs++) {
    const owner = Atomics.compareExchange(cells, cell, 0, thread + 1);
    if (owner === 0) return;
    Atomics.wait(cells, cell, owner, 1);
  }
  const owner = Atomics.load(cells, cell) - 1;
  throw new Error(`lock ${cell} in shared memory was not given back by thread ${owner}`);
}

/** Takes a lock if it is free. */
export function tryLockCell(cells: Int32Array, cell: number, thread: number): boolean {
  return Atomics.compareExchange(cells, cell, 0, thread + 1) === 0;
}

/** Gives back a lock that this thread has. */
export function unlockCell(cells: Int32Array, cell: number): void {
  Atomics.store(cells, cell, 0);
}

/** Takes over a lock that a dead thread left. False when it left none. Looks first: writing would cost memory. */
export function seizeCell(cells: Int32Array, cell: number, deadThread: number, by: number): boolean {
  if (Atomics.load(cells, cell) !== deadThread + 1) return false;
  return Atomics.compareExchange(cells, cell, deadThread + 1, by + 1) === deadThread + 1;
}
