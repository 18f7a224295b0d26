import { cpuMicros, threadMicros } from "./processes.ts";

/** Rounds that are sent before anything is measured, at least and at most. */
const ROUNDS_MIN = 4;
const ROUNDS_MAX = 24;
/** Share of a process' time that its compiler may still use in a round for the process to count as warm. */
const COMPILING_SHARE_MAX = 0.05;
/** The compiler's threads, by the names that Bun gives them. */
const COMPILER_THREADS = ["JITWorker", "JSCWarmUp"] as const;

/**
 * Sends rounds until a process has compiled what it runs all the time: a gateway runs for days, and the runtime
 * compiles in steps, over tens of thousands of calls. Whoever has no such compiler gets the least number of rounds.
 */
export async function untilWarm(pid: number | undefined, sendRound: () => Promise<unknown>): Promise<void> {
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const before = usedBy(pid);
    await sendRound();
    const after = usedBy(pid);
    const share = (after.compiling - before.compiling) / (after.all - before.all);
    if (round >= ROUNDS_MIN && !(share > COMPILING_SHARE_MAX)) return;
  }
}

function usedBy(pid: number | undefined) {
  if (pid === undefined) return { all: 0, compiling: 0 };
  const threads = threadMicros(pid);
  const compiling = COMPILER_THREADS.reduce((sum, name) => sum + (threads.get(name) ?? 0), 0);
  return { all: cpuMicros(pid), compiling };
}
