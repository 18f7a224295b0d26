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
const SOAK_REQUESTS = 100_000;
const SOAK_STEPS = 10;
const LEAVING_SHARE = 0.2;
const WARM_UP_REQUESTS = 5_000;
const SETTLE_MS = 3_000;

/** What the gateway holds in memory: at rest, per open stream, and over many requests of which some are left. */
export async function memory({ options, say, report }: BenchRun): Promise<void> {
  const generator = startGenerator(pinsFor(options).load);
  try {
    report(await openStreams(await openStage(options), generator, say));
  } finally {
    await generator.stop();
  }
  const soaking = startGenerator(pinsFor(options).load);
  try {
    report(await soak(await openStage(options), soaking, say));
  } finally {
    await soaking.stop();
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
    for (const streams of OPEN_STREAMS) {
      say(`${streams} open streams`);
      await generator.runWhole({ kind: "hold", target, streams: streams - opened });
      opened = streams;
      await Bun.sleep(SETTLE_MS);
      const isComplete = (await inFlight(stage)) === streams;
      const resident = residentBytes(pid);
      rows.push({
        name: `${streams.toLocaleString("en")} open streams${isComplete ? "" : " (not all stayed open)"}`,
        cells: [resident / BYTES_PER_MB, (resident - warm) / streams / BYTES_PER_KB],
      });
    }
    return {
      id: "memory",
      title: "Resident memory, at rest and with open streams",
      columns: [
        { name: "resident", unit: "MB" },
        { name: "per open stream", unit: "kB", digits: 1 },
      ],
      rows,
      notes: ["Per stream: what is resident beyond the idle process after its first requests."],
    };
  } finally {
    await stage.stop();
  }
}

async function soak(stage: Stage, generator: LoadGenerator, say: BenchRun["say"]): Promise<Table> {
  try {
    const target = await targetOf(stage, { events: 50, text_bytes: 20, event_interval_ms: 1 });
    const rows: Table["rows"][number][] = [];
    const requests = SOAK_REQUESTS / SOAK_STEPS;
    for (let step = 1; step <= SOAK_STEPS; step++) {
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
      id: "soak",
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
