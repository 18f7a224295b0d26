import type { BenchRun } from "./bench-run.ts";
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
export async function handOff({ options, report }: BenchRun): Promise<void> {
  const stage = await openStage(options, { ACCOUNT_WAITERS_MAX: "1000", ACCOUNT_WAIT_SECONDS: "120" });
  try {
    const { key, upstreamKey } = await stage.sluice.tenant({
      upstream: stage.simulator.url,
      concurrency: LIMIT,
    });
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
    const waits = percentiles(
      arrivals.slice(LIMIT).map((arrival, index) => arrival - (ends[index] ?? arrival)),
    );
    const ideal = (REQUESTS / LIMIT) * HOLD_MS;
    report({
      id: "hand-off",
      title: "Handing a slot on: from its release to the next request upstream",
      columns: [
        { name: "p50", unit: "ms" },
        { name: "p99", unit: "ms" },
        { name: "max", unit: "ms" },
        { name: "of what the limit allows", unit: "%", digits: 1 },
      ],
      rows: [
        {
          name: `limit ${LIMIT}, full line`,
          cells: [waits.p50, waits.p99, waits.max, (ideal / tookMs) * 100],
        },
      ],
      notes: ["By the upstream's clock, which is exact to a millisecond."],
    });
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
