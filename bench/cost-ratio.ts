import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { drive } from "./load.ts";
import { cpuMicros, residentBytes, type ServingProcess, serve } from "./processes.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

const ROUNDS = 5;
const CONNECTIONS = 32;
/** Requests before the first round: hot code is compiled in steps, the last of them after thousands of calls. */
const WARM_UP_SHARE = 4;

/** One scenario's figures: CPU of the proxy process, in microseconds per request. */
interface CostRow {
  readonly scenario: string;
  readonly bareMicros: number;
  readonly sluiceMicros: number;
  readonly ratio: number;
}

/**
 * What a request costs the proxy process, against the bare pass-through in the same run: median over
 * interleaved rounds. Ratios hold on a busy machine, absolute figures do not.
 */
export async function costRatios(print: (line: string) => void): Promise<readonly CostRow[]> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const running: ServingProcess[] = [];
  try {
    const simulator = await serve({
      name: "simulator",
      args: ["src/simulator/main.ts", "--port", "0"],
      urlIn: /"url":"([^"]+)"/,
    });
    running.push(simulator);
    const bare = await serve({
      name: "bare pass-through",
      args: ["bench/pass-through.ts", simulator.url],
      urlIn: /"url":"([^"]+)"/,
    });
    running.push(bare);
    const sluice = await serve({
      name: "sluice",
      args: ["src/main.ts"],
      env: {
        PORT: "0",
        DATA_DIR: dataDir,
        ...(process.env["BENCH_DATABASE_URL"] === undefined ? {} : { DATABASE_URL: process.env["BENCH_DATABASE_URL"] }),
        ADMIN_TOKEN: "bench-admin-token",
        ALLOW_PRIVATE_UPSTREAMS: "true",
        LOG_LEVEL: "info",
        LOG_FORMAT: "json",
      },
      urlIn: /Sluice serves at (\S+)/,
    });
    running.push(sluice);
    const key = await prepareKey(sluice.url, simulator.url);
    print(
      `idle: Sluice ${Math.round(residentBytes(sluice.pid) / 1e6)} MB resident (embedded database included)`,
    );
    const rows: CostRow[] = [];
    for (const scenario of SCENARIOS) {
      const row = await measure(scenario, { bare, sluice, key });
      print(
        `${row.scenario.padEnd(30)} bare ${row.bareMicros.toFixed(0).padStart(6)} µs   sluice ${row.sluiceMicros.toFixed(0).padStart(6)} µs   ratio ${row.ratio.toFixed(2)}`,
      );
      rows.push(row);
    }
    return rows;
  } finally {
    for (const child of running) await child.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

interface Contestants {
  readonly bare: ServingProcess;
  readonly sluice: ServingProcess;
  readonly key: string;
}

async function measure(scenario: Scenario, { bare, sluice, key }: Contestants): Promise<CostRow> {
  const warmUp = { ...scenario, requests: Math.ceil(scenario.requests * WARM_UP_SHARE) };
  const options = { key, connections: CONNECTIONS };
  await drive(bare.url, warmUp, options);
  await drive(sluice.url, warmUp, options);
  const pairs: { bare: number; sluice: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    pairs.push({ bare: await cost(bare, scenario, options), sluice: await cost(sluice, scenario, options) });
  }
  return {
    scenario: scenario.name,
    bareMicros: median(pairs.map((pair) => pair.bare)),
    sluiceMicros: median(pairs.map((pair) => pair.sluice)),
    ratio: median(pairs.map((pair) => pair.sluice / pair.bare)),
  };
}

async function cost(
  { url, pid }: ServingProcess,
  scenario: Scenario,
  options: { key: string; connections: number },
): Promise<number> {
  const before = cpuMicros(pid);
  await drive(url, scenario, options);
  return (cpuMicros(pid) - before) / scenario.requests;
}

async function prepareKey(url: string, upstream: string): Promise<string> {
  const create = async (path: string, body: object): Promise<{ id: number; key: string }> => {
    const answer = await fetch(`${url}/admin/${path}`, {
      method: "POST",
      headers: { authorization: "Bearer bench-admin-token", "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return (await answer.json()) as { id: number; key: string };
  };
  const group = await create("groups", { name: `bench ${process.pid}`, platform: "anthropic" });
  await create("accounts", {
    name: "bench",
    platform: "anthropic",
    type: "api_key",
    credentials: { api_key: "bench" },
    base_url: upstream,
    group_ids: [group.id],
    concurrency: 10_000,
  });
  const user = await create("users", { name: "bench", balance_usd: "1000000", concurrency: 10_000 });
  return (await create("api-keys", { user_id: user.id, group_id: group.id, name: "bench" })).key;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
