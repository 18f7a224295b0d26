import type { BenchRun } from "./bench-run.ts";
import { CLIENT_HEADERS } from "./lab.ts";
import type { Target } from "./load/jobs.ts";
import { type LoadGenerator, startGenerator } from "./load/load-generator.ts";
import { pinsFor } from "./pins.ts";
import { residentBytes } from "./processes.ts";
import { openStage, type Stage } from "./stage.ts";
import type { Table } from "./table.ts";

const BYTES_PER_MB = 1_000_000;
const BYTES_PER_KB = 1_000;
const OPEN_STREAMS = [100, 1_000, 5_000] as const;
const EVENT_INTERVAL_MS = 2_000;
/** Long enough that no stream ends while streams are counted. */
const EVENTS = 10_000;
const DISCONNECT_REQUESTS = 100_000;
const DISCONNECT_STEPS = 10;
const LEAVING_SHARE = 0.2;
const WARM_UP_REQUESTS = 5_000;
const SETTLE_MS = 3_000;

/** What the gateway holds in memory at rest and per open stream. */
export async function memory({ options, say, report }: BenchRun): Promise<void> {
  const generator = startGenerator(pinsFor(options).load);
  try {
    report(await openStreams(await openStage(options), generator, say));
  } finally {
    await generator.stop();
  }
}

/** What the gateway holds in memory over many requests of which some are left by their clients. */
export async function disconnects({ options, say, report }: BenchRun): Promise<void> {
  const generator = startGenerator(pinsFor(options).load);
  try {
    report(await manyRequests(await openStage(options), generator, say));
  } finally {
    await generator.stop();
  }
}

async function openStreams(stage: Stage, generator: LoadGenerator, say: BenchRun["say"]): Promise<Table> {
  const { pid } = stage.sluice;
  try {
    await Bun.sleep(SETTLE_MS);
    const idle = residentBytes(pid);
    const short = await targetOf(stage, { events: 50, text_bytes: 20 });
    const warmUp = { kind: "closed", connections: 32, requests: WARM_UP_REQUESTS, leavingShare: 0 } as const;
    await generator.runWhole({ ...warmUp, target: short });
    await Bun.sleep(SETTLE_MS);
    const warm = residentBytes(pid);
    const rows: Table["rows"][number][] = [
      { name: "idle after the start", cells: [idle / BYTES_PER_MB] },
      { name: "idle after 5,000 requests", cells: [warm / BYTES_PER_MB] },
    ];
    const target = await targetOf(stage, { events: EVENTS, event_interval_ms: EVENT_INTERVAL_MS });
    let opened = 0;
    let before: number | undefined;
    for (const streams of OPEN_STREAMS) {
      say(`${streams} open streams`);
      const further = streams - opened;
      await generator.runWhole({ kind: "hold", target, streams: further });
      opened = streams;
      await Bun.sleep(SETTLE_MS);
      const isComplete = (await inFlight(stage)) === streams;
      const resident = residentBytes(pid);
      rows.push({
        name: `${streams.toLocaleString("en")} open streams${isComplete ? "" : " (not all stayed open)"}`,
        cells: [resident / BYTES_PER_MB, before && (resident - before) / further / BYTES_PER_KB],
      });
      before = resident;
    }
    return {
      id: "memory",
      title: "Resident memory, at rest and with open streams",
      columns: [
        { name: "resident", unit: "MB" },
        { name: "per further stream", unit: "kB", digits: 1 },
      ],
      rows,
      notes: ["Per further stream: against the row above, because garbage of the start is still going."],
    };
  } finally {
    await stage.stop();
  }
}

async function manyRequests(stage: Stage, generator: LoadGenerator, say: BenchRun["say"]): Promise<Table> {
  try {
    const target = await targetOf(stage, { events: 10, text_bytes: 20, event_interval_ms: 2 });
    const rows: Table["rows"][number][] = [];
    const requests = DISCONNECT_REQUESTS / DISCONNECT_STEPS;
    for (let step = 1; step <= DISCONNECT_STEPS; step++) {
      const job = {
        kind: "closed",
        target,
        connections: 256,
        requests,
        leavingShare: LEAVING_SHARE,
      } as const;
      await generator.runWhole(job);
      const resident = residentBytes(stage.sluice.pid) / BYTES_PER_MB;
      say(`${step * requests} requests: ${resident.toFixed(0)} MB`);
      rows.push({ name: `after ${(step * requests).toLocaleString("en")} requests`, cells: [resident] });
    }
    await Bun.sleep(SETTLE_MS);
    rows.push({ name: "three seconds later", cells: [residentBytes(stage.sluice.pid) / BYTES_PER_MB] });
    return {
      id: "disconnects",
      title: "Resident memory over 100,000 streams, one in five left by its client after the first content",
      columns: [{ name: "resident", unit: "MB" }],
      rows,
      notes: [],
    };
  } finally {
    await stage.stop();
  }
}

async function targetOf(stage: Stage, simulator: object): Promise<Target> {
  const { key } = await stage.sluice.tenant({ upstream: stage.simulator.url });
  const messages = [{ role: "user", content: "Hi" }];
  return {
    url: `${stage.sluice.url}/v1/messages`,
    headers: { ...CLIENT_HEADERS, "x-api-key": key },
    body: JSON.stringify({ model: "claude-sonnet-4-6", max_tokens: 64, messages, stream: true, simulator }),
  };
}

async function inFlight({ simulator }: Stage): Promise<number> {
  const answer = await fetch(`${simulator.url}/_simulator/stats`);
  const stats = (await answer.json()) as { readonly in_flight?: number; readonly inFlight?: number };
  return stats.in_flight ?? stats.inFlight ?? Number.NaN;
}
