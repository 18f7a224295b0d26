import { availableParallelism } from "node:os";

/** What comes before a command so that it runs on its own processors; nothing where there are too few. */
export interface Pins {
  /** For what is measured. */
  readonly subject: readonly string[];
  /** For load generator and upstream. */
  readonly load: readonly string[];
}

/** Gives what is measured as many processors as it has HTTP threads, from the last on, and the load the others. */
export function pinsFor({ pin, threads }: { readonly pin: boolean; readonly threads: number }): Pins {
  const processors = availableParallelism();
  if (!pin || threads >= processors || Bun.which("taskset") === null) return { subject: [], load: [] };
  const first = processors - threads;
  return {
    subject: ["taskset", "-c", `${first}-${processors - 1}`],
    load: ["taskset", "-c", `0-${first - 1}`],
  };
}
