import { percentiles } from "./percentiles.ts";
import { type ServingProcess, serve } from "./processes.ts";
import { openStage } from "./stage.ts";

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
export async function largeBodies(print: (line: string) => void): Promise<void> {
  print(await beside("parse threads on", "8192"));
  print(await beside("parse threads off", "1073741824"));
}

async function beside(name: string, offloadBytes: string): Promise<string> {
  const stage = await openStage({ HTTP_THREADS: "1", PARSE_OFFLOAD_BYTES: offloadBytes });
  const large = await openLargeLoad();
  try {
    const { key } = await stage.tenant();
    const { key: largeKey } = await stage.tenant({ upstream: large.url });
    await smallLatencies(stage.sluice.url, key);
    const alone = percentiles(await smallLatencies(stage.sluice.url, key));
    large.say(`${stage.sluice.url} ${largeKey}`);
    const busy = percentiles(await smallLatencies(stage.sluice.url, key));
    const rise = (busy.p99 - alone.p99).toFixed(1);
    return `${name.padEnd(18)} small requests p99: ${alone.p99.toFixed(1)} ms alone, ${busy.p99.toFixed(1)} ms beside large ones: + ${rise} ms (p50 ${alone.p50.toFixed(1)} and ${busy.p50.toFixed(1)} ms)`;
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
