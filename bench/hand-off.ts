import type { BenchRun } from "./bench-run.ts";
import { percentiles } from "./percentiles.ts";
import { ADMIN_TOKEN, openStage } from "./stage.ts";
import type { Table } from "./table.ts";
import { untilWarm } from "./warm-up.ts";

/** The limit of the account that the line is for. */
export const LIMIT = 4;
const HOLD_MS = 100;
/** Not more than a thread keeps the traces of. */
const REQUESTS = 900;
const WARM_UP_HOLD_MS = 2;

interface Attempt {
  readonly api_key: string;
  readonly received_at_ms: number;
  readonly ended_at_ms: number;
}

/**
 * From a slot's release to the next request on the wire, with a full line: from when the gateway was done with one
 * attempt, by its own trace, to the arrival of the next one at the upstream. Beside it what lies between two
 * requests in all: from when the upstream has sent the end of the one before. And the throughput as a share of what
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
    const { pid } = stage.sluice;
    const rows = await measureHandOff({ urls, pid, key, upstreamKey, simulatorUrl: stage.simulator.url });
    report({ ...HAND_OFF_TABLE, id: "hand-off", title: "Handing a slot on, with a full line", rows });
  } finally {
    await stage.stop();
  }
}

/** How what {@link measureHandOff} measures is shown. */
export const HAND_OFF_TABLE = {
  columns: [
    { name: "p50", unit: "ms" },
    { name: "p99", unit: "ms" },
    { name: "max", unit: "ms" },
    { name: "of what the limit allows", unit: "%", digits: 1 },
  ],
  notes: [
    `${REQUESTS} requests for ${LIMIT} places, by the clocks of gateway and upstream, which are exact to a millisecond.`,
  ],
} as const;

/** Whom requests go to by turns, and as whom. */
export interface HandOffStage {
  readonly urls: readonly string[];
  /** The process that has compiled what it needs before the others count as warm too. */
  readonly pid: number;
  readonly key: string;
  readonly upstreamKey: string;
  readonly simulatorUrl: string;
}

/** Keeps the line of one account full, and gives the rows of {@link HAND_OFF_TABLE}. */
export async function measureHandOff(stage: HandOffStage): Promise<Table["rows"]> {
  const { urls, pid, key, upstreamKey, simulatorUrl } = stage;
  const send = (holdMs: number): Promise<readonly Asked[]> =>
    Promise.all(Array.from({ length: REQUESTS }, (_, at) => ask(urls[at % urls.length] ?? "", key, holdMs)));
  await untilWarm(pid, () => send(WARM_UP_HOLD_MS));
  await fetch(`${simulatorUrl}/_simulator/reset`, { method: "POST" });
  const started = performance.now();
  const asked = await send(HOLD_MS);
  const tookMs = performance.now() - started;
  const attempts = await attemptsOf(simulatorUrl, upstreamKey);
  const arrivals = sorted(attempts.map(({ received_at_ms: received }) => received));
  // The n-th end lets in the (n + limit)-th arrival.
  const waitsSince = (ends: readonly number[]) =>
    percentiles(arrivals.slice(LIMIT).map((arrival, index) => arrival - (ends[index] ?? arrival)));
  const released = waitsSince(sorted(await Promise.all(asked.map(answeredAt))));
  const ended = waitsSince(sorted(attempts.map(({ ended_at_ms: end }) => end)));
  const ideal = (REQUESTS / LIMIT) * HOLD_MS;
  return [
    {
      name: "from its release to the next request upstream",
      cells: [released.p50, released.p99, released.max, (ideal / tookMs) * 100],
    },
    {
      name: "from the end of the answer before, as the upstream has sent it",
      cells: [ended.p50, ended.p99, ended.max, undefined],
    },
  ];
}

function sorted(times: readonly number[]): readonly number[] {
  return [...times].sort((a, b) => a - b);
}

/** A request that was answered: by whom, and under which name it is known there. */
export interface Asked {
  readonly url: string;
  readonly requestId: string;
}

/** Sends one request, which the upstream keeps for so long. */
export async function ask(url: string, key: string, holdMs: number): Promise<Asked> {
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
  return { url, requestId: answer.headers.get("x-sluice-request-id") ?? "" };
}

/** When the gateway had the whole answer and gave the account's slot back, in milliseconds since the epoch. */
async function answeredAt({ url, requestId }: Asked): Promise<number> {
  const answer = await fetch(`${url}/admin/requests/${requestId}/trace`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  if (!answer.ok) throw new Error(`the trace of ${requestId} is not kept: ${answer.status}`);
  const { at, steps } = (await answer.json()) as Trace;
  return Date.parse(at) + (steps.find(({ step }) => step === "answer")?.at_ms ?? Number.NaN);
}

interface Trace {
  readonly at: string;
  readonly steps: readonly { readonly step: string; readonly at_ms: number }[];
}

async function attemptsOf(simulatorUrl: string, upstreamKey: string): Promise<readonly Attempt[]> {
  const answer = await fetch(`${simulatorUrl}/_simulator/attempts?since=0`);
  const { attempts } = (await answer.json()) as { readonly attempts: readonly Attempt[] };
  return attempts.filter(({ api_key: apiKey }) => apiKey === upstreamKey);
}
