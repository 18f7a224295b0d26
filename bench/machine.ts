import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";

/** Share of the processors that must be idle before anything is measured. */
const IDLE_SHARE_MIN = 0.9;
const LOOK_MS = 2_000;
const BYTES_PER_GIB = 1_073_741_824;
/** Servers that work for whoever is measured; what they use is not somebody else's load. */
const OWN_SERVERS: ReadonlySet<string> = new Set(["postgres", "redis-server"]);

/** The machine in words that say what matters and not which one it is. */
export function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  const memory = Math.round(totalmem() / BYTES_PER_GIB);
  return `${availableParallelism()} cores (${model}), ${memory} GiB, Linux ${release().split("-")[0]}, Bun ${Bun.version}`;
}

/** Looks for a moment how idle the machine is. */
export async function idleShare(): Promise<number> {
  const before = processorTicks();
  await Bun.sleep(LOOK_MS);
  const after = processorTicks();
  return (after.idle - before.idle) / (after.all - before.all);
}

/** @throws Error when others use so much of the machine that figures would mean nothing. */
export async function refuseBusyMachine(): Promise<number> {
  const idle = await idleShare();
  if (idle >= IDLE_SHARE_MIN) return idle;
  throw new Error(
    `only ${Math.round(idle * 100)} % of the processors are idle and ${IDLE_SHARE_MIN * 100} % are needed; --busy-ok measures all the same`,
  );
}

/**
 * Starts to watch what is taken from the benchmark; the answer says in words which shares of the processors others on
 * this machine have used since, and the machine's own host has withheld where the machine is a virtual one.
 */
export function watchMachine(): () => string {
  const before = { ...processorTicks(), own: ownTicks() };
  return () => {
    const after = { ...processorTicks(), own: ownTicks() };
    const all = Math.max(1, after.all - before.all);
    const withheld = after.withheld - before.withheld;
    const busy = all - (after.idle - before.idle) - withheld;
    const others = Math.max(0, busy - (after.own - before.own));
    return `others used ${percent(others / all)} of the processors, and their host withheld ${percent(withheld / all)}`;
  };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

interface Ticks {
  readonly all: number;
  readonly idle: number;
  /** Kept from a virtual machine that wanted them: "steal" in `proc(5)`. */
  readonly withheld: number;
}

function processorTicks(): Ticks {
  const [line = ""] = readFileSync("/proc/stat", "utf8").split("\n");
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const all = user + nice + system + idle + wait + irq + soft + steal;
  return { all, idle: idle + wait, withheld: steal };
}

/** Of this process, everything it has started, and the servers all of them use. */
function ownTicks(): number {
  const parents = new Map<number, number>();
  const ticks = new Map<number, number>();
  const own = new Set([process.pid]);
  for (const name of readdirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? statOf(name) : undefined;
    if (stat === undefined) continue;
    const pid = Number(name);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    parents.set(pid, Number(fields[1]));
    // Its own, and those of children that have ended.
    ticks.set(
      pid,
      fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0),
    );
    if (OWN_SERVERS.has(stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")")))) own.add(pid);
  }
  const isOwn = (pid: number): boolean => own.has(pid) || (pid > 1 && isOwn(parents.get(pid) ?? 0));
  let sum = 0;
  for (const [pid, used] of ticks) if (isOwn(pid)) sum += used;
  return sum;
}

function statOf(pid: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    // The process has ended since the folder was listed.
    return undefined;
  }
}
