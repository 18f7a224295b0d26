import { expect } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Plan } from "#simulator/plan.ts";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import {
  createTenant,
  eventually,
  startGatewayProcess,
  type Tenant,
  type TestGateway,
  usageOf,
} from "#support/gateway.ts";
import { freshPostgresDatabase } from "#support/servers.ts";
import { onRedis } from "../../e2e/stage.ts";
import { messageBody } from "../../simulator/raw-client.ts";
import { openFiles } from "../clients/client-stage.ts";
import type { ListedFault } from "../section.ts";
import { countEnds, openStreams } from "./open-streams.ts";

const LONG: Plan = { events: 400, event_interval_ms: 20 };
const SHORT: Plan = { events: 30, event_interval_ms: 20 };

const closers: (() => unknown)[] = [];

/** A way in which the process, or what it stands on, fails. */
export interface ProcessFault extends ListedFault {
  run(): Promise<unknown>;
}

/** Plays one and cleans up after it; throws what was wrong. */
export async function playProcessFault(fault: ProcessFault): Promise<void> {
  try {
    await fault.run();
  } finally {
    for (const close of closers.splice(0).reverse()) await close();
  }
}

interface Scene {
  readonly gateway: TestGateway;
  readonly tenant: Tenant;
  readonly simulator: Simulator;
}

async function openScene(env: Record<string, string> = {}, options: SceneOptions = {}): Promise<Scene> {
  const database = await freshPostgresDatabase();
  closers.push(() => database.close());
  const simulator = await startSimulator();
  closers.push(() => simulator.stop());
  const gateway = await startGatewayProcess(
    { HTTP_THREADS: "2", LOG_LEVEL: "error", DATABASE_URL: database.url, ...onRedis(), ...env },
    options.dataDir,
    options.entry,
  );
  closers.push(() => gateway.dispose());
  const tenant = await createTenant(gateway, { upstreamUrl: simulator.url, user: { concurrency: 0 } });
  return { gateway, tenant, simulator };
}

interface SceneOptions {
  readonly dataDir?: string;
  readonly entry?: string;
}

const KILLABLE = { entry: "test/support/killable-gateway.ts" };

const times = (count: number, plan: Plan): readonly Plan[] => Array.from({ length: count }, () => plan);

async function statusOfAsk({ gateway, tenant }: Omit<Scene, "simulator">): Promise<number> {
  const answer = await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": tenant.key },
    body: messageBody(undefined, false),
    keepalive: false,
  });
  await answer.text();
  return answer.status;
}

async function isAtRest({ gateway, tenant }: Omit<Scene, "simulator">): Promise<void> {
  type Live = { readonly in_flight: number; readonly waiting: number };
  const live = async (): Promise<number> => {
    const user = await gateway.admin<Live>("GET", `/users/${tenant.userId}/status`);
    const account = await gateway.admin<Live>("GET", `/accounts/${tenant.accountIds[0]}/status`);
    return user.in_flight + user.waiting + account.in_flight + account.waiting;
  };
  await eventually(live, (count) => count === 0);
}

async function killAmidStreams(): Promise<void> {
  const { gateway, tenant } = await openScene();
  const done = await (await openStreams(gateway, tenant, times(20, { events: 3 }))).all;
  const open = await openStreams(gateway, tenant, times(40, LONG));
  await gateway.kill();
  expect(countEnds(await open.all)).toEqual({ broken: 40 });
  const again = await gateway.restart();
  closers.push(() => again.dispose());
  await isAtRest({ gateway: again, tenant });
  expect(await statusOfAsk({ gateway: again, tenant })).toBe(200);
  const ids = (await usageOf(again, tenant.userId)).map(({ request_id }) => request_id);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { requestId, end } of done)
    expect([requestId, end, ids.includes(requestId)]).toEqual([requestId, "whole", true]);
}

async function killThread(kind: "http" | "parse" | "ledger"): Promise<void> {
  const { gateway, tenant } = await openScene({}, KILLABLE);
  const open = await openStreams(gateway, tenant, times(40, SHORT));
  gateway.say(`kill ${kind} 0`);
  const seen = await open.all;
  const ends = countEnds(seen);
  expect(ends.truncated ?? 0).toBe(0);
  if (kind !== "http") expect(ends).toEqual({ whole: 40 });
  await isAtRest({ gateway, tenant });
  await eventually(
    () => statusOfAsk({ gateway, tenant }),
    (status) => status === 200,
  );
  const wholeIds = seen.filter(({ end }) => end === "whole").map(({ requestId }) => requestId);
  const ids = await eventually(
    async () => (await usageOf(gateway, tenant.userId)).map(({ request_id }) => request_id),
    (found) => wholeIds.every((id) => found.includes(id)),
  );
  expect(new Set(ids).size).toBe(ids.length);
}

async function stopAmidStreams(): Promise<void> {
  const { gateway, tenant, simulator } = await openScene({ SHUTDOWN_GRACE_SECONDS: "3" });
  const open = await openStreams(gateway, tenant, [...times(50, SHORT), ...times(50, LONG)]);
  const unanswered = fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": tenant.key },
    body: messageBody({ delay_ms: 30_000 }, false),
  });
  await eventually(
    () => simulator.attempts().length,
    (count) => count === 101,
  );
  const code = gateway.stop();
  const seen = await open.all;
  const refusal = await unanswered;
  expect([refusal.status, await refusal.json()]).toMatchObject([503, { type: "error" }]);
  expect(await code).toBe(0);
  expect(seen.slice(0, 50).filter(({ end }) => end !== "whole")).toEqual([]);
  expect(countEnds(seen.slice(50))).toEqual({ error: 50 });
  const again = await gateway.restart();
  closers.push(() => again.dispose());
  const ids = (await usageOf(again, tenant.userId)).map(({ request_id }) => request_id);
  const asked = [...seen.map(({ requestId }) => requestId), refusal.headers.get("x-sluice-request-id") ?? ""];
  expect(ids.sort()).toEqual(asked.sort());
}

async function fillDisk(): Promise<void> {
  const disk = mkdtempSync(join(tmpdir(), "sluice-full-"));
  closers.push(() => rmSync(disk, { recursive: true, force: true }));
  // Only root can make a disk this small. Anybody else is left to the tests of the journal.
  if (!mountSmall(disk)) return expect(process.getuid?.()).not.toBe(0);
  closers.push(() => Bun.spawnSync(["umount", "-l", disk]));
  const dataDir = join(disk, "data");
  const { gateway, tenant } = await openScene({}, { dataDir });
  const open = await openStreams(gateway, tenant, times(30, SHORT));
  fill(join(dataDir, "filler"));
  const seen = await open.all;
  expect(countEnds(seen)).toEqual({ whole: 30 });
  await eventually(
    () => statusOfAsk({ gateway, tenant }),
    (status) => status === 503,
  );
  const ready = await fetch(`${gateway.url}/health/ready`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("journal")]);
  rmSync(join(dataDir, "filler"));
  await eventually(
    () => statusOfAsk({ gateway, tenant }),
    (status) => status === 200,
  );
  const ids = (await usageOf(gateway, tenant.userId)).map(({ request_id }) => request_id);
  expect(seen.filter(({ requestId }) => !ids.includes(requestId))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
}

async function takeDescriptors(): Promise<void> {
  const { gateway, tenant } = await openScene();
  const open = await openStreams(gateway, tenant, times(20, { events: 200, event_interval_ms: 20 }));
  limitFiles(gateway.pid, openFiles(gateway.pid) + 10);
  const sockets = Array.from({ length: 300 }, () =>
    fetch(`${gateway.url}/health/live`, { keepalive: false, signal: AbortSignal.timeout(2_500) }).then(
      (answer) => answer.status,
      () => 0,
    ),
  );
  const before = cpuTicks(gateway.pid);
  await Bun.sleep(2_000);
  // In ticks of 10 ms. Spinning on one thread alone would be 200.
  expect(cpuTicks(gateway.pid) - before).toBeLessThan(120);
  await Promise.all(sockets);
  expect(countEnds(await open.all)).toEqual({ whole: 20 });
  limitFiles(gateway.pid, 20_000);
  await eventually(
    () => statusOfAsk({ gateway, tenant }).catch(() => 0),
    (status) => status === 200,
  );
  await isAtRest({ gateway, tenant });
  expect(await (await fetch(`${gateway.url}/metrics`)).text()).toContain("sluice_thread_restarts 0");
}

/** A file system of 2 MB at a folder; false where this user may not mount one. */
function mountSmall(folder: string): boolean {
  return Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=2m", "none", folder]).exitCode === 0;
}

/** Writes until the disk takes no more. */
function fill(file: string): void {
  for (const bytes of [65_536, 1]) {
    try {
      for (;;) writeFileSync(file, "x".repeat(bytes), { flag: "a" });
    } catch {
      // Full.
    }
  }
}

function limitFiles(pid: number, count: number): void {
  const { exitCode } = Bun.spawnSync(["prlimit", "--pid", `${pid}`, `--nofile=${count}:20000`]);
  expect(exitCode).toBe(0);
}

/** CPU time a process has used so far, in ticks of 10 ms (Linux: `/proc/PID/stat`). */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

/** Every one of them, in a fixed order. */
export const PROCESS_FAULTS: readonly ProcessFault[] = [
  {
    name: "the process is killed amid 40 streams: none looks whole, what was whole is booked once, and nothing is held",
    best: "safe",
    run: killAmidStreams,
  },
  {
    name: "an HTTP thread is killed amid 40 streams: its own are cut visibly, the others are whole, all whole ones are booked once",
    best: "safe",
    run: () => killThread("http"),
  },
  {
    name: "a parse thread is killed amid 40 streams: all are whole and booked once",
    run: () => killThread("parse"),
  },
  {
    name: "the ledger thread is killed amid 40 streams: all are whole and booked once",
    run: () => killThread("ledger"),
  },
  {
    name: "SIGTERM with 100 open streams: those that can finish do, all others end with an explicit error, exit code 0, all booked once",
    run: stopAmidStreams,
  },
  {
    name: "the disk is full: new requests are refused, those under way finish, and no record is lost",
    run: fillDisk,
  },
  {
    name: "no file descriptors are left: the process neither dies nor spins, open streams finish, and it serves again",
    run: takeDescriptors,
  },
];
