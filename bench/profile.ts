import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BenchRun } from "./bench-run.ts";
import { openLab, targetOf } from "./lab.ts";
import { threadMicros } from "./processes.ts";
import { type CpuProfile, type FunctionSamples, RUNTIME, samplesByFunction } from "./profile/cpu-profile.ts";
import type { Scenario } from "./scenarios.ts";
import type { Table } from "./table.ts";
import { untilWarm } from "./warm-up.ts";

/** Requests profiled, as a multiple of a round. */
const PROFILED = 2;
const FUNCTIONS_SHOWN = 45;
const CALLERS_SHOWN = 45;
const CALLS_SHOWN = 2;
const SETTLE_MS = 300;
const WRITTEN_MS_MAX = 20_000;
/** The thread that is looked into. */
const THREAD = "http 0";

/**
 * Where the first HTTP thread spends its time, by function, and what each kind of thread costs. Sampling costs
 * time of its own, so shares count here and not sums; `bun bench cost` has those.
 */
export async function profile({ options, say, report }: BenchRun): Promise<void> {
  const lab = await openLab(options);
  try {
    const contestant = await lab.startSluice({ preload: "./bench/profile/wrap-workers.ts" });
    for (const scenario of options.scenarios) {
      say(`${scenario.name}: warming up, then sampling`);
      const target = targetOf(contestant, scenario);
      const send = (requests: number) =>
        lab.generator.runWhole({
          kind: "closed",
          target,
          connections: options.connections,
          requests,
          leavingShare: 0,
        });
      await untilWarm(contestant.pid, () => send(scenario.requests));
      const folder = mkdtempSync(join(tmpdir(), "sluice-profile-"));
      contestant.sluice.say("start");
      await Bun.sleep(SETTLE_MS);
      const before = threadMicros(contestant.sluice.pid);
      await send(scenario.requests * PROFILED);
      const after = threadMicros(contestant.sluice.pid);
      contestant.sluice.say(`stop ${folder}`);
      const sampled = await written(join(folder, `${THREAD}.cpuprofile`));
      rmSync(folder, { recursive: true });
      const requests = scenario.requests * PROFILED;
      const httpMicros = ((after.get("http") ?? 0) - (before.get("http") ?? 0)) / requests;
      for (const table of tablesOf(scenario, sampled, httpMicros)) report(table);
    }
  } finally {
    await lab.stop();
  }
}

async function written(path: string): Promise<CpuProfile> {
  for (let waitedMs = 0; waitedMs < WRITTEN_MS_MAX; waitedMs += SETTLE_MS) {
    await Bun.sleep(SETTLE_MS);
    if (!existsSync(path)) continue;
    const text = await Bun.file(path).text();
    if (text.endsWith("}")) return JSON.parse(text) as CpuProfile;
  }
  throw new Error("the thread wrote no profile");
}

function tablesOf({ id, name }: Scenario, profile: CpuProfile, httpMicros: number): readonly Table[] {
  const functions = samplesByFunction(profile);
  const all = profile.samples.length;
  const share = (samples: number): number => (samples / all) * 100;
  const micros = (samples: number): number => (samples / all) * httpMicros;
  const columns = [
    { name: "share", unit: "%", digits: 1 },
    { name: "of the thread's time", unit: "µs", digits: 1 },
  ];
  const rows = (found: readonly FunctionSamples[], by: "self" | "total") =>
    found.map((row) => ({
      name: `${row.name} ${row.file}`,
      cells: [share(row[by]), micros(row[by])],
    }));
  const callers = functions.map((found) => ({ ...found, self: withRuntime(found) }));
  const alone = {
    name: "by itself",
    file: RUNTIME,
    self: all,
    total: all,
    runtime: new Map<string, number>(),
  };
  for (const { self } of callers) alone.self -= self;
  const busiest = [...callers, alone].filter(({ self }) => self > 0).sort((a, b) => b.self - a.self);
  const note = `${all} samples; the thread used ${httpMicros.toFixed(0)} µs per request while it was sampled, time outside JavaScript included.`;
  const places = placesOf(busiest);
  return [
    {
      id: `profile-places-${id}`,
      title: `HTTP thread by place: ${name}`,
      columns,
      rows: rows(places, "self"),
      notes: [note],
    },
    {
      id: `profile-self-${id}`,
      title: `HTTP thread by function, with what the runtime does for it: ${name}`,
      columns: [...columns, { name: "of that in the runtime", unit: "µs", digits: 1 }],
      rows: busiest.slice(0, FUNCTIONS_SHOWN).map((row) => ({
        name: `${row.name} ${row.file}${calledBy(row)}`,
        cells: [share(row.self), micros(row.self), micros(runtimeOf(row))],
      })),
      notes: [
        "In brackets what of the runtime it calls. The runtime by itself is the server, the turn of the loop, and promises.",
      ],
    },
    {
      id: `profile-total-${id}`,
      title: `HTTP thread by function, with what it calls: ${name}`,
      columns,
      rows: rows([...functions].sort((a, b) => b.total - a.total).slice(1, CALLERS_SHOWN), "total"),
      notes: [],
    },
  ];
}

function runtimeOf({ runtime }: FunctionSamples): number {
  return [...runtime.values()].reduce((sum, count) => sum + count, 0);
}

/** The function's own samples, and those of the runtime at work for it; the runtime keeps what nobody has called. */
function withRuntime(found: FunctionSamples): number {
  return found.file === RUNTIME ? 0 : found.self + runtimeOf(found);
}

/** The two calls into the runtime that cost most. */
function calledBy({ runtime }: FunctionSamples): string {
  const names = [...runtime].sort(([, a], [, b]) => b - a).map(([name]) => name);
  return names.length === 0 ? "" : ` (${names.slice(0, CALLS_SHOWN).join(", ")})`;
}

/** Own time by room of the house, package, or the runtime. */
function placesOf(functions: readonly FunctionSamples[]): readonly FunctionSamples[] {
  const places = new Map<string, FunctionSamples>();
  for (const { file, self } of functions) {
    const name = /^src\/[^/]+/.exec(file)?.[0] ?? file;
    const place = places.get(name) ?? { name, file: "", self: 0, total: 0, runtime: new Map() };
    place.self += self;
    places.set(name, place);
  }
  return [...places.values()].sort((a, b) => b.self - a.self);
}
