import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchRun } from "./bench-run.ts";
import { mulberry32 } from "./load/schedule.ts";
import { residentBytes, type ServingProcess, serve } from "./processes.ts";
import { COUNTED, type HeapCounts } from "./soak/heap-orders.ts";
import { type SoakEnd, type SoakTarget, sendOne } from "./soak/soak-client.ts";
import { SOAK_MIX, type SoakScenario } from "./soak/soak-mix.ts";
import { ADMIN_TOKEN, openSluice, type Sluice } from "./stage.ts";
import type { Table } from "./table.ts";

const REQUESTS = Number(process.env["SOAK_REQUESTS"] ?? 100_000);
const STEPS = 10;
/** Steps after which nothing may grow any more. */
const WARM_UP_STEPS = 2;
const CLIENTS = 64;
const SEED = 20_261_123;
/** Longest the gateway may take to come to rest between steps, in milliseconds. */
const REST_MS_MAX = 30_000;
/** How long threads may take to say what they hold, in milliseconds. */
const PROBE_MS = 1_500;
const BYTES_PER_MB = 1_000_000;
/** Growth after the warm-up that is no leak: of memory in bytes, of objects and of descriptors. */
const RESIDENT_GROWTH_MAX = 40 * BYTES_PER_MB;
const OBJECTS_GROWTH_MAX = 300;
/** Longest that idle connections to clients, upstreams and the database are kept, and some more, in milliseconds. */
const IDLE_MS_MAX = 90_000;
/** Descriptors more than at the start that are no leak: what a first request opens for good. */
const FILES_GROWTH_MAX = 8;

/** Accounts that fail all the time must go on being asked, or nothing but refusals would be measured. */
const SETTINGS = {
  circuit_failures: 1_000,
  circuit_open_seconds: 1,
  circuit_open_seconds_max: 1,
  overload_cooldown: false,
  same_account_retries: 1,
  same_account_delay_ms: 1,
  rate_limit_cooldown_seconds: 1,
};

/** What the gateway holds at one moment at rest. */
interface Holdings extends HeapCounts {
  readonly residentBytes: number;
  readonly files: number;
}

/** What clients have seen so far. */
interface Seen {
  readonly ends: Map<SoakEnd, number>;
  readonly wholeIds: string[];
}

/** Mixes everything upstreams and clients do at random, with a fixed seed, and looks for what is not let go of. */
export async function soak({ options, say, report }: BenchRun): Promise<void> {
  const simulator = await serve({
    name: "simulator",
    args: ["src/simulator/main.ts", "--port", "0"],
    urlIn: /"url":"([^"]+)"/,
  });
  const sluice = await openSluice(options, {
    env: { DRAIN_SECONDS: "2", LOG_LEVEL: "silent" },
    preload: "./bench/soak/wrap-workers.ts",
  });
  try {
    const targets = await openTargets(sluice, simulator);
    const seen: Seen = { ends: new Map(), wholeIds: [] };
    const held: Holdings[] = [await holdings(sluice)];
    const draw = mulberry32(SEED);
    for (let step = 1; step <= STEPS; step++) {
      await sendAll(targets, draw, seen);
      await untilAtRest(sluice, simulator);
      held.push(await holdings(sluice));
      say(`${(step * REQUESTS) / STEPS} requests: ${JSON.stringify(held.at(-1))}`);
    }
    held.push(await idleHoldings(sluice, held[0]?.files ?? 0));
    say(`idle: ${JSON.stringify(held.at(-1))}`);
    report(tableOf(held, seen, await missing(sluice, seen.wholeIds)));
    refuseLeaks(held, seen);
  } finally {
    await sluice.stop();
    await simulator.stop();
  }
}

/** One tenant for each kind of request, so that an account that fails does not stand in another kind's way. */
async function openTargets(
  sluice: Sluice,
  simulator: ServingProcess,
): Promise<ReadonlyMap<SoakScenario, SoakTarget>> {
  await admin(sluice, "PATCH", "/settings", SETTINGS);
  const targets = new Map<SoakScenario, SoakTarget>();
  for (const scenario of SOAK_MIX) {
    const { key } = await sluice.tenant({ upstream: simulator.url });
    targets.set(scenario, { url: sluice.url, key });
  }
  return targets;
}

async function sendAll(
  targets: ReadonlyMap<SoakScenario, SoakTarget>,
  draw: () => number,
  { ends, wholeIds }: Seen,
): Promise<void> {
  let left = REQUESTS / STEPS;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const scenario = drawScenario(draw());
      const target = targets.get(scenario);
      if (target === undefined) throw new Error(`no target for ${scenario.name}`);
      const { end, requestId } = await sendOne(target, scenario);
      ends.set(end, (ends.get(end) ?? 0) + 1);
      if (end === "whole") wholeIds.push(requestId);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}

function drawScenario(drawn: number): SoakScenario {
  let rest = drawn * SOAK_MIX.reduce((sum, { share }) => sum + share, 0);
  const found = SOAK_MIX.find(({ share }) => {
    rest -= share;
    return rest < 0;
  });
  if (found === undefined) throw new Error("the shares do not add up");
  return found;
}

/** Nothing is under way at either side, and everything is booked. */
async function untilAtRest(sluice: Sluice, simulator: ServingProcess): Promise<void> {
  let busy = "";
  for (let waitedMs = 0; waitedMs < REST_MS_MAX; waitedMs += 100) {
    const metrics = await (await fetch(`${sluice.url}/metrics`)).text();
    const figure = (name: string): number =>
      Number(new RegExp(`^${name} (\\d+)`, "m").exec(metrics)?.[1] ?? 1);
    const stats = (await (await fetch(`${simulator.url}/_simulator/stats`)).json()) as { in_flight: number };
    const inFlight = figure("sluice_requests_in_flight");
    const unbooked = figure("sluice_journal_records");
    if (inFlight + unbooked + stats.in_flight === 0) return;
    busy = `${inFlight} requests in flight, ${unbooked} records not booked, ${stats.in_flight} upstream`;
    await Bun.sleep(100);
  }
  throw new Error(`the gateway did not come to rest: ${busy}`);
}

async function holdings({ pid, say }: Sluice): Promise<Holdings> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-heap-"));
  try {
    say(folder);
    await Bun.sleep(PROBE_MS);
    const counts: HeapCounts = { Response: 0, ReadableStream: 0, AbortSignal: 0 };
    for (const file of readdirSync(folder)) {
      const thread = JSON.parse(readFileSync(join(folder, file), "utf8")) as HeapCounts;
      for (const kind of COUNTED) counts[kind] += thread[kind];
    }
    return { ...counts, residentBytes: residentBytes(pid), files: filesOf(pid) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What is held once kept connections have been let go of, which is waited for. */
async function idleHoldings(sluice: Sluice, filesAtFirst: number): Promise<Holdings> {
  const until = performance.now() + IDLE_MS_MAX;
  while (performance.now() < until && filesOf(sluice.pid) > filesAtFirst) await Bun.sleep(PROBE_MS);
  return await holdings(sluice);
}

function filesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** How many answers that a client has seen whole are not booked exactly once. */
async function missing(sluice: Sluice, wholeIds: readonly string[]): Promise<number> {
  const booked = new Map<string, number>();
  type Page = { readonly data: readonly { request_id: string }[]; readonly next_cursor: string | null };
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: Page = await admin(
      sluice,
      "GET",
      `/usage?limit=1000${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    for (const { request_id: id } of page.data) booked.set(id, (booked.get(id) ?? 0) + 1);
    cursor = page.next_cursor;
  }
  return wholeIds.filter((id) => booked.get(id) !== 1).length;
}

async function admin<Answer>({ url }: Sluice, method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(`${url}/admin${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

function tableOf(held: readonly Holdings[], { ends, wholeIds }: Seen, lost: number): Table {
  const counted = [...ends].sort(([a], [b]) => a.localeCompare(b)).map(([end, count]) => `${end} ${count}`);
  return {
    id: "soak-mix",
    title: `What the gateway holds at rest over ${REQUESTS.toLocaleString("en")} requests of every kind, mixed at random`,
    columns: [
      { name: "resident", unit: "MB" },
      ...COUNTED.map((name) => ({ name })),
      { name: "descriptors" },
    ],
    rows: held.map((one, step) => ({
      name: step > STEPS ? "once idle" : `after ${((step * REQUESTS) / STEPS).toLocaleString("en")} requests`,
      cells: [one.residentBytes / BYTES_PER_MB, ...COUNTED.map((kind) => one[kind]), one.files],
    })),
    notes: [
      `Seed ${SEED}, ${CLIENTS} clients. Objects are counted after a collection, over all threads.`,
      `Endings: ${counted.join(", ")}.`,
      `Of ${wholeIds.length} answers that were seen whole, ${lost} are not booked exactly once.`,
    ],
  };
}

/** @throws Error when something has grown since the warm-up, or an answer looked whole that was not. */
function refuseLeaks(held: readonly Holdings[], { ends }: Seen): void {
  const [first, warm, last] = [held[0], held[WARM_UP_STEPS], held.at(-1)];
  if (first === undefined || warm === undefined || last === undefined) return;
  const problems = [
    ...COUNTED.filter((kind) => last[kind] - warm[kind] > OBJECTS_GROWTH_MAX),
    ...(last.residentBytes - warm.residentBytes > RESIDENT_GROWTH_MAX ? ["resident memory"] : []),
    ...(last.files - first.files > FILES_GROWTH_MAX ? ["descriptors"] : []),
    ...(ends.has("truncated") ? ["truncated answers"] : []),
  ];
  if (problems.length > 0) throw new Error(`the soak has found growth: ${problems.join(", ")}`);
}
