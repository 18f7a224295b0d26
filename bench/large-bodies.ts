import type { BenchRun } from "./bench-run.ts";
import { percentiles } from "./percentiles.ts";
import { type ServingProcess, serve } from "./processes.ts";
import { openStage, type StageOptions } from "./stage.ts";
import type { Table } from "./table.ts";

const SMALL_REQUESTS = 1_500;
const PAUSE_MS = 2;

const SMALL = JSON.stringify({
  model: "claude-sonnet-4-6",
  max_tokens: 1,
  messages: [{ role: "user", content: "Hi" }],
});

/**
 * What bodies of 2 MB, one after the other on one connection, do to small requests on others, on one HTTP
 * thread: with the parse threads, and parsed where they arrive.
 */
export async function largeBodies({ options, report }: BenchRun): Promise<void> {
  const rows = [
    await beside(options, "parse threads on", "32768"),
    await beside(options, "parse threads off", "1073741824"),
  ];
  report({
    id: "large-bodies",
    title: "Small requests on one HTTP thread, alone and beside bodies of 2 MB",
    columns: [
      { name: "p50 alone", unit: "ms", digits: 1 },
      { name: "p50 beside", unit: "ms", digits: 1 },
      { name: "p99 alone", unit: "ms", digits: 1 },
      { name: "p99 beside", unit: "ms", digits: 1 },
    ],
    rows,
    notes: [],
  });
}

async function beside(
  options: StageOptions,
  name: string,
  offloadBytes: string,
): Promise<Table["rows"][number]> {
  const stage = await openStage(
    { ...options, threads: 1, pin: false },
    { PARSE_OFFLOAD_BYTES: offloadBytes },
  );
  const large = await openLargeLoad();
  try {
    const { key } = await stage.sluice.tenant({ upstream: stage.simulator.url });
    const { key: largeKey } = await stage.sluice.tenant({ upstream: large.url });
    await smallLatencies(stage.sluice.url, key);
    const alone = percentiles(await smallLatencies(stage.sluice.url, key));
    large.say(`${stage.sluice.url} ${largeKey}`);
    const busy = percentiles(await smallLatencies(stage.sluice.url, key));
    return { name, cells: [alone.p50, busy.p50, alone.p99, busy.p99] };
  } finally {
    await large.stop();
    await stage.stop();
  }
}

function openLargeLoad(): Promise<ServingProcess> {
  return serve({ name: "large load", args: ["bench/large-load.ts"], urlIn: /"url":"([^"]+)"/ });
}

async function smallLatencies(url: string, key: string): Promise<readonly number[]> {
  const latencies: number[] = [];
  for (let request = 0; request < SMALL_REQUESTS; request++) {
    const started = performance.now();
    const answer = await fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": key },
      body: SMALL,
    });
    await answer.text();
    if (!answer.ok) throw new Error(`the gateway answered ${answer.status}`);
    latencies.push(performance.now() - started);
    await Bun.sleep(PAUSE_MS);
  }
  return latencies;
}
