import type { Job, JobResult } from "./jobs.ts";

/** The generator's process, as seen by who measures. */
export interface LoadGenerator {
  readonly pid: number;
  /**
   * Does one job at a time.
   *
   * @throws Error when the generator's process ends.
   */
  run(job: Job): Promise<JobResult>;
  /** As {@link run}. @throws Error when not every answer was a whole 200. */
  runWhole(job: Job): Promise<JobResult>;
  stop(): Promise<void>;
}

/** Starts the load generator; `pin` comes before its command (`taskset` and its arguments, or nothing). */
export function startGenerator(pin: readonly string[]): LoadGenerator {
  let waiting: PromiseWithResolvers<JobResult> | undefined;
  const child = Bun.spawn([...pin, process.execPath, "bench/load/generator.ts"], {
    stdio: ["ignore", "inherit", "inherit"],
    serialization: "advanced",
    ipc: (message) => waiting?.resolve(message as JobResult),
  });
  void child.exited.then((code) => waiting?.reject(new Error(`the load generator ended with ${code}`)));
  const run = (job: Job): Promise<JobResult> => {
    waiting = Promise.withResolvers<JobResult>();
    child.send(job);
    return waiting.promise;
  };
  return {
    pid: child.pid,
    run,
    runWhole: async (job) => {
      const result = await run(job);
      const problems = Object.entries(result.failures).map(([what, times]) => `${times} × ${what}`);
      if (problems.length > 0) throw new Error(`${job.target.url}: ${problems.join(", ")}`);
      return result;
    },
    stop: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}
