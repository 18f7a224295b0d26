import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchRun } from "./bench-run.ts";
import { openLab, targetOf } from "./lab.ts";
import { pinsFor } from "./pins.ts";
import { cpuMicros } from "./processes.ts";
import type { Table } from "./table.ts";

const MS_PER_SECOND = 1_000;
const REQUESTS = 60_000;
const WRK_SECONDS = 4;

/** Asks the upstream directly, as fast as it goes: what load generator and upstream can bear, beside `wrk`. */
export async function generatorCheck({ options, report, say }: BenchRun): Promise<void> {
  const lab = await openLab(options);
  const scenarios = options.scenarios.filter(({ id }) => id !== "large");
  const rows: Table["rows"][number][] = [];
  try {
    for (const scenario of scenarios) {
      const target = targetOf(lab.direct, scenario);
      const job = { kind: "closed", target, connections: options.connections, leavingShare: 0 } as const;
      await lab.generator.runWhole({ ...job, requests: REQUESTS / 4 });
      const before = { own: cpuMicros(lab.generator.pid), upstream: cpuMicros(lab.upstream.pid) };
      const { tookMs } = await lab.generator.runWhole({ ...job, requests: REQUESTS });
      rows.push({
        name: `own generator, ${scenario.name}`,
        cells: [
          (REQUESTS / tookMs) * MS_PER_SECOND,
          (cpuMicros(lab.generator.pid) - before.own) / REQUESTS,
          (cpuMicros(lab.upstream.pid) - before.upstream) / REQUESTS,
        ],
      });
      const rate = wrkRate(options, target);
      if (rate === undefined) say("wrk is not installed");
      else rows.push({ name: `wrk, ${scenario.name}`, cells: [rate, undefined, undefined] });
    }
  } finally {
    await lab.stop();
  }
  report({
    id: "generator",
    title: "What load generator and upstream bear together, with nobody in between",
    columns: [
      { name: "requests per second" },
      { name: "generator", unit: "µs", digits: 1 },
      { name: "upstream", unit: "µs", digits: 1 },
    ],
    rows,
    notes: [],
  });
}

function wrkRate(
  options: BenchRun["options"],
  { url, headers, body }: ReturnType<typeof targetOf>,
): number | undefined {
  const wrk = Bun.which("wrk");
  if (wrk === null) return undefined;
  const script = join(tmpdir(), `sluice-bench-${process.pid}.lua`);
  const lines = Object.entries(headers).map(
    ([name, value]) => `wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`,
  );
  writeFileSync(script, `wrk.method = "POST"\nwrk.body = ${luaString(body)}\n${lines.join("\n")}\n`);
  const command = [
    ...pinsFor(options).load,
    wrk,
    "-t1",
    `-c${options.connections}`,
    `-d${WRK_SECONDS}s`,
    "-s",
    script,
    url,
  ];
  const { stdout } = Bun.spawnSync(command);
  rmSync(script);
  return Number(/Requests\/sec: +([\d.]+)/.exec(stdout.toString())?.[1] ?? Number.NaN);
}

/** A body of JSON has no `]==]`, so it can stand between long brackets as it is. */
function luaString(text: string): string {
  return `[==[${text}]==]`;
}
