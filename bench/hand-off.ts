import { percentiles } from "./percentiles.ts";
import { openStage } from "./stage.ts";

const LIMIT = 4;
const HOLD_MS = 100;
const REQUESTS = 400;
const WARM_UPS = 5;
const WARM_UP_HOLD_MS = 2;

interface Attempt {
  readonly api_key: string;
  readonly received_at_ms: number;
  readonly ended_at_ms: number;
}

/**
 * From a slot's release to the next request on the wire: with a full line, the time between the end of one
 * attempt and the arrival of the next one, as the upstream sees both. And the throughput as a share of what
 * the limit allows.
 */
export async function handOff(print: (line: string) => void): Promise<void> {
  const stage = await openStage({ ACCOUNT_WAITERS_MAX: "1000", ACCOUNT_WAIT_SECONDS: "120" });
  try {
    const { key, upstreamKey } = await stage.tenant({ concurrency: LIMIT });
    const send = async (holdMs: number): Promise<number> => {
      const started = performance.now();
      await Promise.all(Array.from({ length: REQUESTS }, () => ask(stage.sluice.url, key, holdMs)));
      return performance.now() - started;
    };
    for (let warmUp = 0; warmUp < WARM_UPS; warmUp++) await send(WARM_UP_HOLD_MS);
    await fetch(`${stage.simulator.url}/_simulator/reset`, { method: "POST" });
    const tookMs = await send(HOLD_MS);
    const attempts = await attemptsOf(stage.simulator.url, upstreamKey);
    const ends = attempts.map(({ ended_at_ms: ended }) => ended).sort((a, b) => a - b);
    const arrivals = attempts.map(({ received_at_ms: received }) => received).sort((a, b) => a - b);
    // The n-th end lets in the (n + limit)-th arrival.
    const { p50, p99, max } = percentiles(
      arrivals.slice(LIMIT).map((arrival, index) => arrival - (ends[index] ?? arrival)),
    );
    print(`release to next request upstream: p50 ${p50} ms   p99 ${p99} ms   max ${max} ms (clock of 1 ms)`);
    const ideal = (REQUESTS / LIMIT) * HOLD_MS;
    print(`throughput with a full line: ${((ideal / tookMs) * 100).toFixed(1)} % of what the limit allows`);
  } finally {
    await stage.stop();
  }
}

async function ask(url: string, key: string, holdMs: number): Promise<void> {
  const answer = await fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": key },
    body: JSON.stringify({
      model: "claude-sonnet-4-6",
      max_tokens: 1,
      messages: [{ role: "user", content: "Hi" }],
      simulator: { delay_ms: holdMs },
    }),
  });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  await answer.text();
}

async function attemptsOf(simulatorUrl: string, upstreamKey: string): Promise<readonly Attempt[]> {
  const answer = await fetch(`${simulatorUrl}/_simulator/attempts?since=0`);
  const { attempts } = (await answer.json()) as { readonly attempts: readonly Attempt[] };
  return attempts.filter(({ api_key: apiKey }) => apiKey === upstreamKey);
}
