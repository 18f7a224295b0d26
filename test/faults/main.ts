/** `bun run faults`: plays every scenario, prints the scorecard and writes it to `docs/faults.md`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "#support/servers.ts";
import { CLIENT_FAULTS, playClientFault } from "./clients/client-faults.ts";
import { openClientStage } from "./clients/client-stage.ts";
import { FURTHER_FAULTS } from "./further-faults.ts";
import { PROCESS_FAULTS, playProcessFault } from "./processes/process-faults.ts";
import type { Report } from "./scenario.ts";
import { failoverFigures, renderScorecard } from "./scorecard.ts";
import { type ListedFault, PAGE, type PlayedFault, playFault, renderSection } from "./section.ts";
import { SHARED_SIXTEEN } from "./shared-sixteen.ts";
import { Wall } from "./wall.ts";

const SCENARIOS = [...SHARED_SIXTEEN, ...FURTHER_FAULTS];

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const folder = await mkdtemp(join(tmpdir(), "sluice-faults-"));
const server = process.env["TEST_DATABASE_URL"] === undefined ? await startPostgres(folder) : undefined;
if (server !== undefined) process.env["TEST_DATABASE_URL"] = server.url;

const wall = await Wall.open();
const reports: Report[] = [];
const sections: [title: string, played: readonly PlayedFault[]][] = [];
try {
  for (const scenario of SCENARIOS) {
    for (const report of await wall.play(scenario)) {
      reports.push(report);
      const after = report.failoverMs === undefined ? "" : `  next account after ${report.failoverMs} ms`;
      say(
        `${report.id}  ${report.verdict.padEnd(4)}  ${scenario.title}, ${report.form}${after}  ${report.why}`,
      );
    }
  }
  sections.push(["Clients that misbehave", await playClients()]);
  sections.push(["Processes that fail", await playAll(PROCESS_FAULTS, playProcessFault)]);
} finally {
  await wall.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
}
await Bun.write(
  PAGE,
  `${renderScorecard(SCENARIOS, reports)}${sections.map(([title, played]) => renderSection(title, played)).join("")}`,
);
say(failoverFigures(reports));
const all = [...reports, ...sections.flatMap(([, played]) => played)];
process.exit(all.some(({ verdict }) => verdict === "fail") ? 1 : 0);

async function playClients(): Promise<readonly PlayedFault[]> {
  const stage = await openClientStage();
  try {
    return await playAll(CLIENT_FAULTS, (fault) => playClientFault(fault, stage));
  } finally {
    await stage.close();
  }
}

async function playAll<Fault extends ListedFault>(
  faults: readonly Fault[],
  run: (fault: Fault) => Promise<void>,
): Promise<readonly PlayedFault[]> {
  const played: PlayedFault[] = [];
  for (const fault of faults) {
    const one = await playFault(fault, () => run(fault));
    played.push(one);
    say(`${one.verdict.padEnd(4)}  ${one.name}  ${one.why}`);
  }
  return played;
}
