import type { BenchRun } from "./bench-run.ts";
import { percentiles } from "./percentiles.ts";
import { openStage } from "./stage.ts";
import type { Table } from "./table.ts";

/** The limit of the account that the line is for. */
export const LIMIT = 4;
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
    const urls = [stage.sluice.url];
    const cells = await measureHandOff({ urls, key, upstreamKey, simulatorUrl: stage.simulator.url });
    report({
      id: "hand-off",
      title: "Handing a slot on: from its release to the next request upstream",
      columns: HAND_OFF_COLUMNS,
      rows: [{ name: `limit ${LIMIT}, full line`, cells }],
      notes: [HAND_OFF_NOTE],
    });
  } finally {
    await stage.stop();
  }
}

/** What {@link measureHandOff} measures. */
export const HAND_OFF_COLUMNS: Table["columns"] = [
  { name: "p50", unit: "ms" },
  { name: "p99", unit: "ms" },
  { name: "max", unit: "ms" },
  { name: "of what the limit allows", unit: "%", digits: 1 },
];
/** How exact it is. */
export const HAND_OFF_NOTE = "By the upstream's clock, which is exact to a millisecond.";

/** Whom requests go to by turns, and as whom. */
export interface HandOffStage {
  readonly urls: readonly string[];
  readonly key: string;
  readonly upstreamKey: string;
  readonly simulatorUrl: string;
}

/** Keeps the line of one account full, and gives the cells of a row of {@link HAND_OFF_COLUMNS}. */
export async function measureHandOff(stage: HandOffStage): Promise<readonly number[]> {
  const { urls, key, upstreamKey, simulatorUrl } = stage;
  const send = async (holdMs: number): Promise<number> => {
    const started = performance.now();
    const asked = Array.from({ length: REQUESTS }, (_, at) => ask(urls[at % urls.length] ?? "", key, holdMs));
    await Promise.all(asked);
    return performance.now() - started;
  };
  for (let warmUp = 0; warmUp < WARM_UPS; warmUp++) await send(WARM_UP_HOLD_MS);
  await fetch(`${simulatorUrl}/_simulator/reset`, { method: "POST" });
  const tookMs = await send(HOLD_MS);
  const attempts = await attemptsOf(simulatorUrl, upstreamKey);
  const ends = attempts.map(({ ended_at_ms: ended }) => ended).sort((a, b) => a - b);
  const arrivals = attempts.map(({ received_at_ms: received }) => received).sort((a, b) => a - b);
  // The n-th end lets in the (n + limit)-th arrival.
  const waits = percentiles(
    arrivals.slice(LIMIT).map((arrival, index) => arrival - (ends[index] ?? arrival)),
  );
  const ideal = (REQUESTS / LIMIT) * HOLD_MS;
  return [waits.p50, waits.p99, waits.max, (ideal / tookMs) * 100];
}

/** Sends one request, which the upstream keeps for so long. */
export async function ask(url: string, key: string, holdMs: number): Promise<void> {
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
