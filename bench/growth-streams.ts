import { costsOf, curveOf, type GrowthLoad } from "./growth-cost.ts";
import { type Contestant, type Lab, targetOf } from "./lab.ts";
import { startGenerator } from "./load/load-generator.ts";
import type { Options } from "./options.ts";
import { pinsFor } from "./pins.ts";
import { cpuMicros, type ServingProcess } from "./processes.ts";
import { startSimulatedUpstream } from "./stage.ts";
import { type Spread, spreadOf, type Table } from "./table.ts";

const EVENTS_AT_ONCE = [10, 100, 1_000, 10_000] as const;
const EVENTS_ONE_BY_ONE = [10, 100, 500] as const;
/** Long enough that each event arrives by itself. */
const EVENT_INTERVAL_MS = 5;
const OPEN_STREAMS = [0, 1_000, 5_000] as const;
/** Of streams that are only held open: seldom, so that holding costs little beside the requests. */
const HELD_INTERVAL_MS = 5_000;
const HELD_EVENTS = 10_000;
const SETTLE_MS = 3_000;
const REQUESTS = 3_000;
/** Hot code is compiled in steps, over thousands of calls. */
const WARM_UP_REQUESTS = 20_000;

/** How the cost of a stream grows with its events, those that come at once and those that come one by one. */
export async function eventCurves(lab: Lab, options: Options): Promise<readonly Table[]> {
  const upstream = await startSimulatedUpstream(options);
  lab.keep(upstream);
  const bare = await lab.startBare(upstream.url);
  const sluice = await lab.startSluice({ tenant: { upstream: upstream.url } });
  const terms = { lab, ...options };
  const loadOf = (to: Contestant, events: number, event_interval_ms: number): GrowthLoad => ({
    to,
    body: streamOf({ events, event_interval_ms }),
    events,
  });
  const atOnce = await costsOf(
    terms,
    EVENTS_AT_ONCE.map((events) => loadOf(sluice, events, 0)),
  );
  const oneByOne = await costsOf(
    terms,
    EVENTS_ONE_BY_ONE.flatMap((events) => [bare, sluice].map((to) => loadOf(to, events, EVENT_INTERVAL_MS))),
  );
  return [
    curveOf("growth-events", "Events of its stream, as fast as they go", EVENTS_AT_ONCE, atOnce),
    oneByOneTable(oneByOne),
  ];
}

/** @param costs of the bare pass-through and of Sluice in turn, for one number of events after the other. */
function oneByOneTable(costs: readonly (readonly number[])[]): Table {
  return {
    id: "growth-chunks",
    title: `What a request costs: events of its stream, one every ${EVENT_INTERVAL_MS} ms`,
    columns: [
      { name: "bare pass-through", unit: "µs" },
      { name: "Sluice", unit: "µs" },
      { name: "cost ratio", digits: 2 },
    ],
    rows: EVENTS_ONE_BY_ONE.map((events, place) => {
      const [bare = [], own = []] = costs.slice(2 * place, 2 * place + 2);
      const ratios = own.map((cost, round) => cost / (bare[round] ?? Number.NaN));
      return {
        name: events.toLocaleString("en"),
        cells: [spreadOf(bare), spreadOf(own), spreadOf(ratios)],
      };
    }),
    notes: [],
  };
}

/** What a small request costs beside streams that are open, and what holding those costs. */
export async function openStreamCurve(lab: Lab, options: Options): Promise<Table> {
  const upstream = await startSimulatedUpstream(options);
  lab.keep(upstream);
  const to = await lab.startSluice({ tenant: { upstream: upstream.url } });
  // The streams need a process of their own, because one generator does one job at a time.
  const holder = startGenerator(pinsFor(options).load);
  lab.keep(holder);
  const rows: Table["rows"][number][] = [];
  let first: readonly number[] | undefined;
  let open = 0;
  for (const streams of OPEN_STREAMS) {
    const body = streamOf({ events: HELD_EVENTS, event_interval_ms: HELD_INTERVAL_MS });
    if (streams > open)
      await holder.runWhole({ kind: "hold", target: targetOf(to, { body }), streams: streams - open });
    open = streams;
    await send(lab, to, options, first === undefined ? WARM_UP_REQUESTS : REQUESTS);
    await Bun.sleep(SETTLE_MS);
    const perMs = await holdingMicrosPerMs(to);
    const costs = await besideCosts(lab, to, options, perMs);
    first ??= costs;
    const ratios: Spread = spreadOf(costs.map((cost, round) => cost / (first?.[round] ?? Number.NaN)));
    rows.push({
      name: `${streams.toLocaleString("en")}${(await underWay(upstream)) < streams ? " (not all stayed open)" : ""}`,
      cells: [spreadOf(costs), ratios, perMs],
    });
  }
  return {
    id: "growth-open",
    title: "What a request costs: open streams beside it",
    columns: [
      { name: "CPU per request", unit: "µs" },
      { name: "against the first", digits: 2 },
      { name: "CPU of holding them, per second", unit: "ms", digits: 1 },
    ],
    rows,
    notes: [
      `Of each open stream one event in ${HELD_INTERVAL_MS / 1_000} s; without the CPU of holding them.`,
    ],
  };
}

/** Round by round, in microseconds per request, without what the process uses anyway. */
async function besideCosts(
  lab: Lab,
  to: Contestant,
  options: Options,
  idleMicrosPerMs: number,
): Promise<readonly number[]> {
  const costs: number[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const before = cpuMicros(to.pid ?? process.pid);
    const startedAt = performance.now();
    await send(lab, to, options, REQUESTS);
    const idle = idleMicrosPerMs * (performance.now() - startedAt);
    costs.push((cpuMicros(to.pid ?? process.pid) - before - idle) / REQUESTS);
  }
  return costs;
}

/** What the process uses while nobody asks anything; microseconds a millisecond is milliseconds a second. */
async function holdingMicrosPerMs(to: Contestant): Promise<number> {
  const before = cpuMicros(to.pid ?? process.pid);
  const startedAt = performance.now();
  await Bun.sleep(SETTLE_MS);
  return (cpuMicros(to.pid ?? process.pid) - before) / (performance.now() - startedAt);
}

async function send(lab: Lab, to: Contestant, { connections }: Options, requests: number): Promise<void> {
  const body = JSON.stringify(MESSAGE);
  const target = targetOf(to, { body });
  await lab.generator.runWhole({ kind: "closed", target, connections, requests, leavingShare: 0 });
}

async function underWay(simulator: ServingProcess): Promise<number> {
  const answer = await fetch(`${simulator.url}/_simulator/stats`);
  const stats = (await answer.json()) as { readonly in_flight?: number };
  return stats.in_flight ?? Number.NaN;
}

const MESSAGE = {
  model: "claude-sonnet-4-6",
  max_tokens: 64,
  messages: [{ role: "user", content: "Hi" }],
};

function streamOf(simulator: object): string {
  return JSON.stringify({ ...MESSAGE, stream: true, simulator: { text_bytes: 20, ...simulator } });
}
