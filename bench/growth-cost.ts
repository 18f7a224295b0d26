import { type Contestant, type Lab, targetOf } from "./lab.ts";
import { cpuMicros } from "./processes.ts";
import type { Scenario } from "./scenarios.ts";
import { type Spread, spreadOf, type Table } from "./table.ts";

const WARM_UP_REQUESTS = 6_000;
const REQUESTS = 3_000;
/** Bytes that are sent, and events that come back, in one round at most. */
const ROUND_BYTES = 300_000_000;
const ROUND_EVENTS = 60_000;

const COLUMNS: Table["columns"] = [
  { name: "CPU per request", unit: "µs" },
  { name: "against the first", digits: 2 },
];

/** How the curves are measured. */
export interface GrowthTerms {
  readonly lab: Pick<Lab, "generator">;
  readonly rounds: number;
  readonly connections: number;
}

/** One point of a curve: what is sent, and to whom. */
export interface GrowthLoad {
  readonly to: Contestant;
  readonly body: string;
  /** Events of each answer. */
  readonly events?: number;
}

/** CPU time per request of each load, round by round, in microseconds. */
export async function costsOf(
  { lab, rounds, connections }: GrowthTerms,
  loads: readonly GrowthLoad[],
): Promise<readonly (readonly number[])[]> {
  const send = async ({ to, body, events = 1 }: GrowthLoad, most: number): Promise<number> => {
    const requests = Math.ceil(Math.min(most, ROUND_BYTES / body.length, ROUND_EVENTS / events));
    const scenario: Pick<Scenario, "body"> = { body };
    await lab.generator.runWhole({
      kind: "closed",
      target: targetOf(to, scenario),
      connections,
      requests,
      leavingShare: 0,
    });
    return requests;
  };
  for (const load of loads) await send(load, WARM_UP_REQUESTS);
  const costs = loads.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, load] of loads.entries()) {
      await send(load, REQUESTS / 2);
      const before = cpuMicros(load.to.pid ?? process.pid);
      const requests = await send(load, REQUESTS);
      costs[index]?.push((cpuMicros(load.to.pid ?? process.pid) - before) / requests);
    }
  }
  return costs;
}

/** The figures of one curve. */
export function curveOf(
  id: string,
  title: string,
  counts: readonly number[],
  costs: readonly (readonly number[])[],
): Table {
  const [first = []] = costs;
  const against = (own: readonly number[]): Spread =>
    spreadOf(own.map((cost, round) => cost / (first[round] ?? Number.NaN)));
  return {
    id,
    title: `What a request costs: ${title.toLowerCase()}`,
    columns: COLUMNS,
    rows: counts.map((count, index) => {
      const own = costs[index] ?? [];
      return { name: count.toLocaleString("en"), cells: [spreadOf(own), against(own)] };
    }),
    notes: [],
  };
}
