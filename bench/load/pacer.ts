/**
 * The pacer: a thread that sleeps until the next arrival is due and then wakes the load generator, whose own timers
 * are exact to a millisecond only. Watching the clock instead would keep a processor busy, and what is put aside
 * there for another process, a database for instance, would come back a tick of the kernel too late.
 */

/** What a pacer is given. */
export interface PacerJob {
  /** Intended arrivals in milliseconds from the start, in order; shared memory. */
  readonly schedule: Float64Array;
  /** When the start is, in milliseconds since the Unix epoch, with fractions: a thread's own clock begins with it. */
  readonly startMs: number;
  /** How many arrivals are due; whoever sleeps on it is woken when that grows. Shared memory. */
  readonly due: Int32Array;
}

/** Runs as a worker thread; as a module it only has the types. */
if (!Bun.isMainThread) {
  globalThis.addEventListener("message", ({ data }: MessageEvent<PacerJob>) => pace(data));
  postMessage("ready");
}

function pace({ schedule, startMs, due }: PacerJob): void {
  // Nobody ever wakes this: it is slept on for the time alone.
  const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  for (let at = 0; at < schedule.length; ) {
    const sinceMs = performance.timeOrigin + performance.now() - startMs;
    const before = at;
    while (at < schedule.length && (schedule[at] ?? 0) <= sinceMs) at++;
    if (at > before) {
      Atomics.store(due, 0, at);
      Atomics.notify(due, 0);
    } else {
      Atomics.wait(never, 0, 0, (schedule[at] ?? 0) - sinceMs);
    }
  }
}
