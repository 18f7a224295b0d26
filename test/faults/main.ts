/** `bun run faults`: plays every scenario, prints the scorecard and writes it to `docs/faults.md`. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startPostgres } from "#support/servers.ts";
import { FURTHER_FAULTS } from "./further-faults.ts";
import type { Report } from "./scenario.ts";
import { failoverFigures, renderScorecard } from "./scorecard.ts";
import { SHARED_SIXTEEN } from "./shared-sixteen.ts";
import { Wall } from "./wall.ts";

const PAGE = join(import.meta.dir, "../../docs/faults.md");
const SCENARIOS = [...SHARED_SIXTEEN, ...FURTHER_FAULTS];

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const folder = await mkdtemp(join(tmpdir(), "sluice-faults-"));
const server = process.env["TEST_DATABASE_URL"] === undefined ? await startPostgres(folder) : undefined;
if (server !== undefined) process.env["TEST_DATABASE_URL"] = server.url;

const wall = await Wall.open();
const reports: Report[] = [];
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
} finally {
  await wall.close();
  await server?.close();
  await rm(folder, { recursive: true, force: true });
}
await Bun.write(PAGE, renderScorecard(SCENARIOS, reports));
say(failoverFigures(reports));
process.exit(reports.some(({ verdict }) => verdict === "fail") ? 1 : 0);
