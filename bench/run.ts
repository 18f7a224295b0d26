import type { BenchRun } from "./bench-run.ts";
import { clusterNodes } from "./cluster.ts";
import { costRatios } from "./cost-ratio.ts";
import { writeDocument } from "./document.ts";
import { features } from "./features.ts";
import { floor } from "./floor.ts";
import { generatorCheck } from "./generator-check.ts";
import { growth } from "./growth.ts";
import { handOff } from "./hand-off.ts";
import { journal } from "./journal.ts";
import { largeBodies } from "./large-bodies.ts";
import { ledger } from "./ledger.ts";
import { loadLatency } from "./load-latency.ts";
import { describeMachine, refuseBusyMachine } from "./machine.ts";
import { disconnects, memory } from "./memory.ts";
import { microBenchmarks } from "./micro.ts";
import { OPTIONS_HELP, type Options, readOptions } from "./options.ts";
import { parseCrossover } from "./parse-crossover.ts";
import { comparePeers } from "./peers/compare-peers.ts";
import { profile } from "./profile.ts";
import { compareResults, loadResults, type Results, storeResults } from "./results.ts";
import { selection } from "./selection.ts";
import { soak } from "./soak.ts";
import { asText, type Table } from "./table.ts";
import { threadScaling } from "./thread-scaling.ts";
import { upstreamClients } from "./upstream-clients.ts";
import { usagePages } from "./usage-pages.ts";

type Benchmark = (run: BenchRun) => Promise<void>;

/** By the name that `bun bench NAME` takes. `isUsual`: runs when no name is given. */
const BENCHMARKS: Readonly<
  Record<string, { readonly about: string; readonly run: Benchmark; readonly isUsual?: true }>
> = {
  micro: { about: "parts of the request path on their own", run: microBenchmarks, isUsual: true },
  cost: { about: "CPU per request against the bare pass-through", run: costRatios, isUsual: true },
  load: { about: "added latency under arrivals by schedule", run: loadLatency, isUsual: true },
  floor: { about: "what a gateway's work costs at the least, one thing more in each row", run: floor },
  generator: { about: "what the load generator can bear", run: generatorCheck },
  features: { about: "what each feature costs", run: features },
  growth: { about: "what a request costs by how much there is of everything", run: growth },
  scaling: { about: "more HTTP threads", run: threadScaling },
  soak: { about: "100,000 requests of every kind, and what is not let go of", run: soak },
  memory: { about: "resident memory, at rest and with open streams", run: memory },
  disconnects: { about: "resident memory over 100,000 streams, one in five left", run: disconnects },
  peers: { about: "other gateways in front of the same upstream", run: comparePeers },
  profile: { about: "where an HTTP thread spends its time", run: profile },
  parse: { about: "reading bodies here or on a parse thread", run: parseCrossover },
  selection: { about: "choosing an account, by the size of the pool", run: selection },
  "hand-off": { about: "handing a slot on", run: handOff },
  clients: { about: "HTTP clients that could ask upstreams", run: upstreamClients },
  cluster: { about: "three nodes over a Redis of its own, which then stands still", run: clusterNodes },
  journal: { about: "recording usage and reading it back", run: journal },
  "large-bodies": { about: "small requests beside large ones", run: largeBodies },
  ledger: { about: "booking what requests used into PostgreSQL", run: ledger },
  "usage-pages": { about: "pages of usage over millions of rows", run: usagePages },
};

const print = (line: string): void => void process.stdout.write(`${line}\n`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
try {
  await main(process.argv.slice(2));
  process.exit(0);
} catch (thrown) {
  process.stderr.write(`${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exit(1);
}

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) {
    const list = Object.entries(BENCHMARKS).map(
      ([name, { about, isUsual }]) =>
        `  ${name.padEnd(14)} ${about}${isUsual ? " (runs unless others are named)" : ""}`,
    );
    print(`bun bench [NAME...] [options]\n\n${list.join("\n")}\n\n${OPTIONS_HELP}`);
    return;
  }
  const options = readOptions(args);
  const results = options.from === undefined ? await measure(options, args) : await loadResults(options.from);
  if (options.compare !== undefined) {
    const { tables } = await loadResults(options.compare);
    for (const table of compareResults(results.tables, tables)) print(asText(table));
  }
  if (options.markdown !== undefined) await writeDocument(options.markdown, results);
}

async function measure(options: Options, args: readonly string[]): Promise<Results> {
  const chosen = chosenBy(options);
  const machine = describeMachine();
  print(machine);
  if (!options.busyOk) print(`${Math.round((await refuseBusyMachine()) * 100)} % idle`);
  const tables: Table[] = [];
  const run: BenchRun = {
    options,
    say: print,
    report: (table) => {
      tables.push(table);
      print(asText(table));
    },
  };
  const results = { machine, command: ["bun bench", ...args].join(" "), tables };
  for (const benchmark of chosen) {
    await benchmark(run);
    // After each, so that a run which is broken off has not been for nothing.
    if (options.json !== undefined) await storeResults(options.json, results);
  }
  return results;
}

function chosenBy({ names }: Options): readonly Benchmark[] {
  if (names.length === 0) {
    return Object.values(BENCHMARKS).flatMap(({ run, isUsual }) => (isUsual ? [run] : []));
  }
  return names.map((name) => {
    const benchmark = BENCHMARKS[name];
    if (benchmark === undefined) {
      throw new RangeError(`there is no ${name}; there is ${Object.keys(BENCHMARKS).join(", ")}`);
    }
    return benchmark.run;
  });
}
