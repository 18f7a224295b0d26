import type { BenchRun } from "./bench-run.ts";
import { interleaved } from "./cost-ratio.ts";
import { type Contestant, openLab } from "./lab.ts";
import { spreadOf } from "./table.ts";

const THREADS = [1, 2, 4] as const;

/**
 * What more HTTP threads cost: with twice the threads and the same CPU time per request, a machine with
 * enough processors answers twice as many. This machine's processors are shared with load and upstream, so the
 * throughput is worked out from the CPU time and not read from a clock.
 */
export async function threadScaling({ options, say, report }: BenchRun): Promise<void> {
  const lab = await openLab({ ...options, pin: false });
  try {
    const contestants: Contestant[] = [];
    for (const threads of THREADS) {
      contestants.push(await lab.startSluice({ env: { HTTP_THREADS: String(threads) } }));
    }
    for (const scenario of options.scenarios) {
      say(`${scenario.name}: ${options.rounds} rounds`);
      const costs = await interleaved({ lab, scenario, ...options, connections: 128 }, contestants);
      const [single = []] = costs;
      report({
        id: `scaling-${scenario.id}`,
        title: `HTTP threads: ${scenario.name}`,
        columns: [
          { name: "CPU per request", unit: "µs" },
          { name: "CPU-normalised throughput against one thread", digits: 2 },
        ],
        rows: THREADS.map((threads, index) => {
          const own = costs[index] ?? [];
          const gain = own.map(
            ({ micros }, round) => (threads * (single[round]?.micros ?? Number.NaN)) / micros,
          );
          return {
            name: `${threads} HTTP thread${threads === 1 ? "" : "s"}`,
            cells: [spreadOf(own.map(({ micros }) => micros)), spreadOf(gain)],
          };
        }),
        notes: [],
      });
    }
  } finally {
    await lab.stop();
  }
}
