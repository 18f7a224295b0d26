import type { BenchRun } from "./bench-run.ts";
import { findKnee } from "./knee.ts";
import { type Contestant, type Lab, openLab, targetOf } from "./lab.ts";
import type { JobResult } from "./load/jobs.ts";
import { watchMachine } from "./machine.ts";
import { percentiles } from "./percentiles.ts";
import { cpuMicros, residentBytes } from "./processes.ts";
import type { Scenario } from "./scenarios.ts";
import { type Spread, spreadOf, type Table } from "./table.ts";
import { untilWarm } from "./warm-up.ts";

const KNEE_SHARES = [0.25, 0.5, 0.75] as const;
const BYTES_PER_MB = 1_000_000;

interface Round {
  readonly result: JobResult;
  readonly cpuMicros: number;
}

/**
 * Latency under load that arrives whether answers come or not, against the upstream asked directly and the
 * bare pass-through, at shares of the rate that Sluice can just bear. All three get the same schedule.
 */
export async function loadLatency(run: BenchRun): Promise<void> {
  const { options, say, report } = run;
  const lab = await openLab(options);
  try {
    const [bare, sluice] = [await lab.startBare(), await lab.startSluice()];
    for (const scenario of options.scenarios) {
      for (const contestant of [lab.direct, bare, sluice]) await warmUp(lab, contestant, scenario);
      const knee = await findKnee(run, lab, targetOf(sluice, scenario));
      const machine = watchMachine();
      const levels: Level[] = [];
      for (const share of KNEE_SHARES) {
        say(`${scenario.name}: ${Math.round(knee * share)} requests per second`);
        levels.push({
          share,
          rounds: await roundsAt(run, lab, { scenario, rate: knee * share }, [lab.direct, bare, sluice]),
        });
      }
      const notes = [
        `Sluice's knee: ${Math.round(knee)} requests per second on ${options.threads} HTTP thread${options.threads === 1 ? "" : "s"}; ${options.arrivals === "poisson" ? "Poisson" : "evenly spaced"} arrivals, ${options.rounds} interleaved rounds of ${options.seconds} s; from the intended arrival; ${machine()}; Sluice resident ${Math.round(residentBytes(sluice.sluice.pid) / BYTES_PER_MB)} MB.`,
      ];
      report(addedTable(scenario, levels, notes));
      report(absoluteTable(scenario, levels));
    }
  } finally {
    await lab.stop();
  }
}

interface Level {
  readonly share: number;
  /** By contestant (direct, bare, Sluice), then round. */
  readonly rounds: readonly (readonly Round[])[];
}

async function warmUp(lab: Lab, contestant: Contestant, scenario: Scenario): Promise<void> {
  const target = targetOf(contestant, scenario);
  const job = { kind: "closed", connections: 32, requests: scenario.requests, leavingShare: 0 } as const;
  await untilWarm(contestant.pid, () => lab.generator.runWhole({ ...job, target }));
}

async function roundsAt(
  { options }: BenchRun,
  lab: Lab,
  { scenario, rate }: { readonly scenario: Scenario; readonly rate: number },
  contestants: readonly Contestant[],
): Promise<readonly (readonly Round[])[]> {
  const { arrivals, seconds } = options;
  const rounds = contestants.map((): Round[] => []);
  for (let round = 0; round < options.rounds; round++) {
    for (const [index, contestant] of contestants.entries()) {
      const target = targetOf(contestant, scenario);
      const { pid } = contestant;
      const before = pid === undefined ? 0 : cpuMicros(pid);
      const result = await lab.generator.runWhole({
        kind: "open",
        target,
        rate,
        seconds,
        arrivals,
        seed: round + 1,
      });
      const used = pid === undefined ? 0 : cpuMicros(pid) - before;
      rounds[index]?.push({ result, cpuMicros: used / result.latencies.length });
    }
  }
  return rounds;
}

function addedTable({ id, name }: Scenario, levels: readonly Level[], notes: readonly string[]): Table {
  return {
    id: `added-${id}`,
    title: `Added latency against the upstream asked directly: ${name}`,
    columns: [
      { name: "p50", unit: "ms", digits: 2 },
      { name: "p99", unit: "ms", digits: 2 },
      { name: "p99.9", unit: "ms", digits: 2 },
      { name: "first token p50", unit: "ms", digits: 2 },
      { name: "first token p99", unit: "ms", digits: 2 },
      { name: "CPU", unit: "µs" },
      { name: "cost ratio", digits: 2 },
    ],
    rows: levels.flatMap(({ share, rounds: [direct = [], bare = [], sluice = []] }) => {
      const costRatio = spreadOf(
        sluice.map((round, index) => round.cpuMicros / (bare[index]?.cpuMicros ?? Number.NaN)),
      );
      const row = (who: string, rounds: readonly Round[], ratio: Spread | undefined) => ({
        name: `${share * 100} % of the knee, ${who}`,
        cells: [...added(rounds, direct), spreadOf(rounds.map((round) => round.cpuMicros)), ratio],
      });
      return [row("bare pass-through", bare, undefined), row("Sluice", sluice, costRatio)];
    }),
    notes,
  };
}

/** Round by round, because all of a round had the same schedule and the same machine. */
function added(rounds: readonly Round[], direct: readonly Round[]): readonly Spread[] {
  const difference = (of: "latencies" | "firstTokens", at: "p50" | "p99" | "p999"): Spread =>
    spreadOf(
      rounds.map(({ result }, index) => {
        const other = direct[index]?.result[of] ?? [];
        return percentiles(result[of])[at] - percentiles(other)[at];
      }),
    );
  return [
    difference("latencies", "p50"),
    difference("latencies", "p99"),
    difference("latencies", "p999"),
    difference("firstTokens", "p50"),
    difference("firstTokens", "p99"),
  ];
}

function absoluteTable({ id, name }: Scenario, levels: readonly Level[]): Table {
  const names = ["direct", "bare pass-through", "Sluice"];
  return {
    id: `latency-${id}`,
    title: `Latency under load, all rounds together: ${name}`,
    columns: [
      { name: "p50", unit: "ms", digits: 2 },
      { name: "p99", unit: "ms", digits: 2 },
      { name: "p99.9", unit: "ms", digits: 2 },
      { name: "first token p99", unit: "ms", digits: 2 },
      { name: "generator late, p99", unit: "ms", digits: 2 },
    ],
    rows: levels.flatMap(({ share, rounds }) =>
      rounds.map((own, index) => {
        const all = percentiles(own.flatMap(({ result }) => result.latencies));
        const first = percentiles(own.flatMap(({ result }) => result.firstTokens));
        const late = percentiles(own.flatMap(({ result }) => result.lags));
        return {
          name: `${share * 100} % of the knee, ${names[index] ?? ""}`,
          cells: [all.p50, all.p99, all.p999, first.p99, late.p99],
        };
      }),
    ),
    notes: [],
  };
}
