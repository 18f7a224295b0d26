import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchRun } from "./bench-run.ts";
import { interleaved, ratioOf } from "./cost-ratio.ts";
import { FLOOR_DIR, STEPS } from "./floor/steps.ts";
import { type Contestant, type Lab, openLab } from "./lab.ts";
import { watchMachine } from "./machine.ts";
import type { Options } from "./options.ts";
import { pinsFor } from "./pins.ts";
import { serve } from "./processes.ts";
import { spreadOf } from "./table.ts";

/**
 * What a gateway's work costs at the least: the pass-through, then one thing more in each row, each in its plainest
 * form. What Sluice costs beyond the last row is what it does beyond it, and what doing it well costs.
 */
export async function floor({ options, say, report }: BenchRun): Promise<void> {
  const lab = await openLab(options);
  try {
    const contestants = [await lab.startBare()];
    const dir = mkdtempSync(join(tmpdir(), "sluice-bench-floor-"));
    lab.keep({ stop: async () => rmSync(dir, { recursive: true, force: true }) });
    for (const step of STEPS) contestants.push(await startStep(lab, options, step, dir));
    contestants.push(await lab.startSluice());
    for (const scenario of options.scenarios) {
      say(`${scenario.name}: ${contestants.length} programs, ${options.rounds} rounds`);
      const machine = watchMachine();
      const costs = await interleaved({ lab, scenario, ...options }, contestants);
      const [bare = []] = costs;
      report({
        id: `floor-${scenario.id}`,
        title: `CPU time per request, one thing more in each row: ${scenario.name}`,
        columns: [
          { name: "CPU", unit: "µs" },
          { name: "cost ratio", digits: 2 },
        ],
        rows: contestants.map(({ name }, index) => {
          const own = costs[index] ?? [];
          const micros = own.map((cost) => cost.micros);
          return { name, cells: [spreadOf(micros), ratioOf(own, bare, (cost) => cost.micros)] };
        }),
        notes: [`Median and range of ${options.rounds} interleaved rounds; ${machine()}.`],
      });
    }
  } finally {
    await lab.stop();
  }
}

async function startStep(
  lab: Lab,
  options: Options,
  { id, name }: (typeof STEPS)[number],
  dir: string,
): Promise<Contestant> {
  const program = await serve({
    name,
    args: ["bench/floor/step-process.ts", id, lab.upstream.url],
    pin: pinsFor(options).subject,
    env: { ...lab.env, [FLOOR_DIR]: dir },
    urlIn: /"url":"([^"]+)"/,
  });
  lab.keep(program);
  return { name, url: program.url, pid: program.pid, headers: lab.direct.headers };
}
