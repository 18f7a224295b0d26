import type { BenchRun } from "./bench-run.ts";
import type { Lab } from "./lab.ts";
import type { Target } from "./load/jobs.ts";
import { percentiles } from "./percentiles.ts";

const MS_PER_SECOND = 1_000;
const CAPACITY_CONNECTIONS = 64;
const CAPACITY_REQUESTS_MIN = 1_000;
/** Shares of the capacity that the ramp tries, from high to low. */
const STEPS = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5] as const;
const STEP_SECONDS = 2;
/** How often a rate must be borne, each time with other arrivals: once may have been luck. */
const STEP_TRIES = 4;
/** Within the knee 99 of 100 answers come in this time, in milliseconds from their intended arrival. */
const BEARABLE_MS = 50;

/**
 * The highest rate that is borne: what is answered when requests simply follow each other shows the capacity,
 * then arrivals by schedule at falling shares of it, until 99 of 100 answers come in time, every time.
 */
export async function findKnee({ options, say }: BenchRun, lab: Lab, target: Target): Promise<number> {
  const capacity = await capacityOf(lab, target);
  for (const share of STEPS) {
    const rate = capacity * share;
    if (await isBorne({ options }, lab, target, rate)) return rate;
  }
  const lowest = capacity * (STEPS.at(-1) ?? 0);
  say(`no rate was borne; ${Math.round(lowest)} requests per second are taken for the knee`);
  return lowest;
}

async function isBorne(
  { options }: Pick<BenchRun, "options">,
  lab: Lab,
  target: Target,
  rate: number,
): Promise<boolean> {
  const { arrivals } = options;
  for (let seed = 1; seed <= STEP_TRIES; seed++) {
    const job = { kind: "open", target, rate, seconds: STEP_SECONDS, arrivals, seed } as const;
    const { latencies, failures } = await lab.generator.run(job);
    if (Object.keys(failures).length > 0 || percentiles(latencies).p99 > BEARABLE_MS) return false;
  }
  return true;
}

async function capacityOf(lab: Lab, target: Target): Promise<number> {
  let rate = 0;
  let requests = CAPACITY_REQUESTS_MIN;
  // The first answers say how many a longer look needs.
  for (let look = 0; look < 2; look++) {
    const job = {
      kind: "closed",
      target,
      connections: CAPACITY_CONNECTIONS,
      requests,
      leavingShare: 0,
    } as const;
    const { tookMs } = await lab.generator.runWhole(job);
    rate = (requests / tookMs) * MS_PER_SECOND;
    requests = Math.max(CAPACITY_REQUESTS_MIN, Math.ceil(rate * STEP_SECONDS));
  }
  return rate;
}
