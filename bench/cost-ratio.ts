import type { BenchRun } from "./bench-run.ts";
import { type Contestant, type Lab, openLab, targetOf } from "./lab.ts";
import { watchMachine } from "./machine.ts";
import { cpuMicros, threadMicros } from "./processes.ts";
import type { Scenario } from "./scenarios.ts";
import { type Spread, spreadOf, type Table } from "./table.ts";
import { untilWarm } from "./warm-up.ts";

/** Share of a round that is sent before it is measured: while others had their turn, compiled code was let go of. */
const LEAD_IN = 0.5;

/** What one round cost one contestant, in microseconds per request. */
export interface RoundCost {
  readonly micros: number;
  readonly threads: ReadonlyMap<string, number>;
}

/**
 * What a request costs the proxy process, against the bare pass-through in the same run: median over
 * interleaved rounds. Ratios hold on a busy machine, absolute figures do not.
 */
export async function costRatios({ options, say, report }: BenchRun): Promise<void> {
  const lab = await openLab(options);
  const machine = watchMachine();
  const rows: Table["rows"][number][] = [];
  const threads: Table[] = [];
  try {
    const [bare, sluice] = [await lab.startBare(), await lab.startSluice()];
    for (const scenario of options.scenarios) {
      say(`${scenario.name}: ${options.rounds} rounds`);
      const rounds = await interleaved({ lab, scenario, ...options }, [bare, sluice]);
      const [bareCosts = [], sluiceCosts = []] = rounds;
      rows.push({
        name: scenario.name,
        cells: [
          spreadOf(bareCosts.map(({ micros }) => micros)),
          spreadOf(sluiceCosts.map(({ micros }) => micros)),
          ratioOf(sluiceCosts, bareCosts, ({ micros }) => micros),
          ratioOf(sluiceCosts, bareCosts, accepting),
        ],
      });
      threads.push(threadTable(scenario, bareCosts, sluiceCosts));
    }
  } finally {
    await lab.stop();
  }
  report({
    id: "cost",
    title: `CPU time per request and cost ratio, ${options.connections} requests under way`,
    columns: [
      { name: "bare pass-through", unit: "µs" },
      { name: "Sluice", unit: "µs" },
      { name: "cost ratio", digits: 2 },
      { name: "accepting thread", digits: 2 },
    ],
    rows,
    notes: [`Median and range of ${options.rounds} interleaved rounds; ${machine()}.`],
  });
  for (const table of threads) report(table);
}

/** Warms every contestant up, then measures them in turn, round after round. Costs by contestant, then round. */
export async function interleaved(
  measured: {
    readonly lab: Pick<Lab, "generator">;
    readonly scenario: Scenario;
    readonly connections: number;
    readonly rounds: number;
  },
  contestants: readonly Contestant[],
): Promise<readonly (readonly RoundCost[])[]> {
  const { lab, scenario, connections, rounds } = measured;
  const send = async (contestant: Contestant, requests: number): Promise<void> => {
    const target = targetOf(contestant, scenario);
    await lab.generator.runWhole({ kind: "closed", target, connections, requests, leavingShare: 0 });
  };
  for (const contestant of contestants) {
    await untilWarm(contestant.pid, () => send(contestant, scenario.requests));
  }
  const costs = contestants.map((): RoundCost[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      await send(contestant, Math.ceil(scenario.requests * LEAD_IN));
      const pid = contestant.pid ?? process.pid;
      const before = { micros: cpuMicros(pid), threads: threadMicros(pid) };
      await send(contestant, scenario.requests);
      const after = { micros: cpuMicros(pid), threads: threadMicros(pid) };
      costs[index]?.push(perRequest(before, after, scenario.requests));
    }
  }
  return costs;
}

function perRequest(before: RoundCost, after: RoundCost, requests: number): RoundCost {
  const threads = [...after.threads].map(
    ([name, micros]) => [name, (micros - (before.threads.get(name) ?? 0)) / requests] as const,
  );
  return { micros: (after.micros - before.micros) / requests, threads: new Map(threads) };
}

/** Round by round, because both of a round had the same machine. */
export function ratioOf(
  costs: readonly RoundCost[],
  yardstick: readonly RoundCost[],
  figure: (cost: RoundCost) => number,
): Spread {
  return spreadOf(
    costs.map((cost, round) => {
      const [own, other] = [figure(cost), yardstick[round]];
      return other === undefined ? Number.NaN : own / figure(other);
    }),
  );
}

/** The threads that accept requests: Sluice's are named so, the pass-through has only its main thread. */
function accepting({ threads }: RoundCost): number {
  return threads.get("http") ?? threads.get("main") ?? Number.NaN;
}

function threadTable(scenario: Scenario, bare: readonly RoundCost[], sluice: readonly RoundCost[]): Table {
  const names = new Set([...bare, ...sluice].flatMap(({ threads }) => [...threads.keys()]));
  const figures = (costs: readonly RoundCost[], name: string): number =>
    spreadOf(costs.map(({ threads }) => threads.get(name) ?? 0)).median;
  const rows = [...names]
    .map((name) => ({ name, cells: [figures(bare, name), figures(sluice, name)] as const }))
    .filter(({ cells }) => cells.some((micros) => micros >= 0.05))
    .sort((a, b) => b.cells[1] - a.cells[1]);
  return {
    id: `threads-${scenario.id}`,
    title: `CPU time per request by thread: ${scenario.name}`,
    columns: [
      { name: "bare pass-through", unit: "µs", digits: 1 },
      { name: "Sluice", unit: "µs", digits: 1 },
    ],
    rows,
    notes: ["Threads as the kernel counts them, to the nanosecond; the whole as above, in ticks of 10 ms."],
  };
}
