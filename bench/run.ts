import { costRatios } from "./cost-ratio.ts";
import { microBenchmarks } from "./micro.ts";

const print = (line: string): void => void process.stdout.write(`${line}\n`);

const wanted = process.argv.slice(2);
const includes = (name: string): boolean => wanted.length === 0 || wanted.includes(name);

if (includes("micro")) {
  print("# Micro benchmarks");
  print(await microBenchmarks());
}
if (includes("cost")) {
  print("# CPU of the proxy process per request, against the bare pass-through");
  await costRatios(print);
}
process.exit(0);
