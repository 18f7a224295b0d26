import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchRun } from "../bench-run.ts";
import { interleaved, type RoundCost } from "../cost-ratio.ts";
import { CLIENT_HEADERS, type Contestant, type Lab, openLab, targetOf } from "../lab.ts";
import { watchMachine } from "../machine.ts";
import { pinsFor } from "../pins.ts";
import { residentBytes, serve } from "../processes.ts";
import type { Scenario } from "../scenarios.ts";
import { spreadOf, type Table } from "../table.ts";
import { PEERS, type PeerAdapter } from "./adapters.ts";

const MICROS_PER_SECOND = 1_000_000;
const BYTES_PER_MB = 1_000_000;

/** The same scenarios for Sluice, the bare pass-through, and every peer that is installed or named by its URL. */
export async function comparePeers(run: BenchRun): Promise<void> {
  const { options, say, report } = run;
  const lab = await openLab(options);
  say(`upstream: ${lab.upstream.url}`);
  try {
    const contestants: Contestant[] = [await lab.startBare(), await lab.startSluice()];
    for (const adapter of PEERS) {
      const peer = await start(adapter, lab, run);
      if (peer !== undefined) contestants.push(peer);
    }
    contestants.push(...named(run));
    for (const scenario of options.scenarios) {
      const able: Contestant[] = [];
      for (const contestant of contestants) {
        const problem = await problemOf(lab, contestant, scenario);
        if (problem === undefined) able.push(contestant);
        else say(`${contestant.name} does not serve ${scenario.name}: ${problem}`);
      }
      say(`${scenario.name}: ${able.map(({ name }) => name).join(", ")}; ${options.rounds} rounds`);
      const machine = watchMachine();
      const costs = await interleaved({ lab, scenario, ...options }, able);
      report(tableOf(scenario, able, costs, machine()));
    }
  } finally {
    await lab.stop();
  }
}

async function start(
  adapter: PeerAdapter,
  lab: Lab,
  { options, say }: BenchRun,
): Promise<Contestant | undefined> {
  const program =
    Bun.which(adapter.program) ?? Bun.which(adapter.program, { PATH: "/usr/sbin:/usr/local/sbin" });
  if (program === null) {
    say(`${adapter.name}: ${adapter.program} is not installed`);
    return undefined;
  }
  const dir = mkdtempSync(join(tmpdir(), "sluice-peer-"));
  lab.keep({ stop: async () => rmSync(dir, { recursive: true, force: true }) });
  const port = String(freePort());
  const fill = (text: string): string =>
    text
      .replaceAll("{dir}", dir)
      .replaceAll("{port}", port)
      .replaceAll("{upstreamHost}", new URL(lab.upstream.url).host)
      .replaceAll("{upstream}", lab.upstream.url);
  if (adapter.npm !== undefined && !(await install(adapter.npm, dir, say))) return undefined;
  const { file } = adapter;
  if (file !== undefined) await Bun.write(join(dir, file.name), fill(file.text));
  const args = adapter.args.map(fill);
  say(
    `${adapter.name}: ${adapter.program} ${adapter.args.join(" ")}${file === undefined ? "" : `\n${file.text}`}`,
  );
  const peer = await serve({
    name: adapter.name,
    program,
    args,
    pin: pinsFor(options).subject,
    urlIn: `http://127.0.0.1:${port}`,
  });
  lab.keep(peer);
  const headers = Object.entries(adapter.headers).map(([name, value]) => [name, fill(value)] as const);
  return {
    name: adapter.name,
    url: peer.url,
    pid: peer.pid,
    headers: { ...CLIENT_HEADERS, ...Object.fromEntries(headers) },
  };
}

async function install(spec: string, dir: string, say: BenchRun["say"]): Promise<boolean> {
  const npm = Bun.which("npm");
  if (npm === null) {
    say(`${spec}: npm is not installed`);
    return false;
  }
  const command = [npm, "install", "--prefix", dir, "--no-audit", "--no-fund", "--ignore-scripts", spec];
  const { exitCode, stderr } = Bun.spawnSync(command, { cwd: dir, stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) say(`${spec} could not be installed: ${stderr.toString().slice(-300)}`);
  return exitCode === 0;
}

/** Gateways that run already. Nothing is known of their process, so they have no CPU time to show. */
function named({ options }: BenchRun): readonly Contestant[] {
  const headers = options.peerHeaders.map((line) => {
    const [name = "", ...rest] = line.split(":");
    return [name.trim(), rest.join(":").trim()] as const;
  });
  return options.peerUrls.map((spec) => {
    const at = spec.indexOf("=");
    return {
      name: spec.slice(0, at),
      url: spec.slice(at + 1).replace(/\/+$/, ""),
      pid: undefined,
      headers: { ...CLIENT_HEADERS, ...Object.fromEntries(headers) },
    };
  });
}

async function problemOf(
  { generator }: Lab,
  contestant: Contestant,
  scenario: Scenario,
): Promise<string | undefined> {
  const target = targetOf(contestant, scenario);
  const { failures } = await generator.run({
    kind: "closed",
    target,
    connections: 1,
    requests: 2,
    leavingShare: 0,
  });
  return Object.keys(failures)[0];
}

function tableOf(
  { id, name }: Scenario,
  contestants: readonly Contestant[],
  costs: readonly (readonly RoundCost[])[],
  taken: string,
): Table {
  const sluiceAt = contestants.findIndex((contestant) => contestant.name === "Sluice");
  const sluice = costs[sluiceAt] ?? [];
  return {
    id: `peers-${id}`,
    title: `Side by side: ${name}`,
    columns: [
      { name: "CPU per request", unit: "µs" },
      { name: "requests per CPU second" },
      { name: "Sluice answers so many times as much", digits: 2 },
      { name: "resident", unit: "MB" },
    ],
    rows: contestants.map((contestant, index) => {
      const own = costs[index] ?? [];
      const { pid } = contestant;
      if (pid === undefined)
        return { name: contestant.name, cells: ["not known", "not known", undefined, undefined] };
      return {
        name: contestant.name,
        cells: [
          spreadOf(own.map(({ micros }) => micros)),
          spreadOf(own.map(({ micros }) => MICROS_PER_SECOND / micros)),
          spreadOf(own.map(({ micros }, round) => micros / (sluice[round]?.micros ?? Number.NaN))),
          residentBytes(pid) / BYTES_PER_MB,
        ],
      };
    }),
    notes: [`Per CPU second, so that it does not matter how many threads each uses. Meanwhile ${taken}.`],
  };
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const { port } = listener;
  listener.stop(true);
  return port;
}
