import { drive } from "./load.ts";
import { median } from "./percentiles.ts";
import { cpuMicros, residentBytes, type ServingProcess, serve } from "./processes.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";
import { openStage } from "./stage.ts";

const ROUNDS = 5;
const CONNECTIONS = 32;
/** Requests before the first round, as a multiple of one: hot code is compiled in steps, over thousands of calls. */
const WARM_UP = 4;

interface Contestants {
  readonly bare: ServingProcess;
  readonly sluice: ServingProcess;
  readonly key: string;
}

/**
 * What a request costs the proxy process, against the bare pass-through in the same run: median over
 * interleaved rounds. Ratios hold on a busy machine, absolute figures do not.
 */
export async function costRatios(print: (line: string) => void): Promise<void> {
  const stage = await openStage();
  const bare = await serve({
    name: "bare pass-through",
    args: ["bench/pass-through.ts", stage.simulator.url],
    urlIn: /"url":"([^"]+)"/,
  });
  try {
    const { key } = await stage.tenant();
    print(`idle: ${Math.round(residentBytes(stage.sluice.pid) / 1e6)} MB resident`);
    for (const scenario of SCENARIOS) {
      print(await measure(scenario, { bare, sluice: stage.sluice, key }));
    }
  } finally {
    await bare.stop();
    await stage.stop();
  }
}

async function measure(scenario: Scenario, { bare, sluice, key }: Contestants): Promise<string> {
  const warmUp = { ...scenario, requests: scenario.requests * WARM_UP };
  const options = { key, connections: CONNECTIONS };
  await drive(bare.url, warmUp, options);
  await drive(sluice.url, warmUp, options);
  const rounds: { bare: number; sluice: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    rounds.push({ bare: await cost(bare, scenario, options), sluice: await cost(sluice, scenario, options) });
  }
  const bareMicros = median(rounds.map((round) => round.bare)).toFixed(0);
  const sluiceMicros = median(rounds.map((round) => round.sluice)).toFixed(0);
  const ratio = median(rounds.map((round) => round.sluice / round.bare)).toFixed(2);
  return `${scenario.name.padEnd(30)} bare ${bareMicros.padStart(6)} µs   sluice ${sluiceMicros.padStart(6)} µs   ratio ${ratio}`;
}

async function cost(
  { url, pid }: ServingProcess,
  scenario: Scenario,
  options: { readonly key: string; readonly connections: number },
): Promise<number> {
  const before = cpuMicros(pid);
  await drive(url, scenario, options);
  return (cpuMicros(pid) - before) / scenario.requests;
}
