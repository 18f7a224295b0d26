import { costRatios } from "./cost-ratio.ts";
import { handOff } from "./hand-off.ts";
import { journal } from "./journal.ts";
import { largeBodies } from "./large-bodies.ts";
import { microBenchmarks } from "./micro.ts";
import { parseCrossover } from "./parse-crossover.ts";
import { selection } from "./selection.ts";

type Benchmark = (print: (line: string) => void) => Promise<void>;

/** By the name that `bun bench NAME` takes. */
const BENCHMARKS: Readonly<Record<string, { readonly title: string; readonly run: Benchmark }>> = {
  micro: { title: "Parts of the request path on their own", run: microBenchmarks },
  parse: { title: "Reading a body: CPU time of the accepting thread", run: parseCrossover },
  cost: { title: "CPU of the proxy process per request, against the bare pass-through", run: costRatios },
  selection: { title: "Choosing an account for a new conversation, by the size of the pool", run: selection },
  "hand-off": { title: "Handing a slot on", run: handOff },
  journal: { title: "Recording what a request used, and reading it back", run: journal },
  "large-bodies": { title: "Small requests beside large ones", run: largeBodies },
};

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => BENCHMARKS[name] === undefined);
if (unknown.length > 0) {
  print(`unknown: ${unknown.join(", ")}; there is ${Object.keys(BENCHMARKS).join(", ")}`);
  process.exit(1);
}
for (const [name, { title, run }] of Object.entries(BENCHMARKS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  print(`\n# ${title}`);
  await run(print);
}
process.exit(0);
