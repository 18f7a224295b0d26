import { readdirSync, readFileSync } from "node:fs";

/** Ticks of the kernel's CPU accounting per second; 100 on every Linux that Bun runs on. */
const TICKS_PER_SECOND = 100;
const MICROS_PER_SECOND = 1_000_000;
const NANOS_PER_MICRO = 1_000;
const START_MS_MAX = 120_000;
/** How much of what a process has printed is kept to find its URL in, in characters. */
const PRINTED_MAX = 100_000;

/** A process that serves, and what it has cost. */
export interface ServingProcess {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  /** Writes a line to its standard input. */
  say(line: string): void;
  stop(): Promise<void>;
}

interface ServeOptions {
  readonly name: string;
  readonly args: readonly string[];
  /** What runs the arguments; Bun unless told otherwise. */
  readonly program?: string;
  /** What comes before the command: `taskset` and its arguments. */
  readonly pin?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where it serves: a pattern that finds it in what the process prints, or an address that answers when it is up. */
  readonly urlIn: RegExp | string;
}

/** What was started and has not ended. A benchmark that fails must not leave servers behind. */
const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Starts a program and waits until it serves. */
export async function serve(options: ServeOptions): Promise<ServingProcess> {
  const { name, args, program = process.execPath, pin = [], env = {} } = options;
  const child = Bun.spawn([...pin, program, ...args], {
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "20000", NODE_ENV: "production", ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  running.add(child);
  const url = await whereServed(child, options);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 500);
    await child.exited;
    clearTimeout(timer);
    running.delete(child);
  };
  const say = (line: string): void => {
    child.stdin.write(`${line}\n`);
    child.stdin.flush();
  };
  return { name, url, pid: child.pid, say, stop };
}

async function whereServed(
  child: Bun.Subprocess<"pipe", "pipe", "inherit">,
  { name, urlIn }: ServeOptions,
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let printed = "";
  const read = async (): Promise<void> => {
    // Read to its end, so that a process that logs is never held up.
    for await (const chunk of child.stdout) {
      printed = (printed + new TextDecoder().decode(chunk)).slice(-PRINTED_MAX);
      const url = urlIn instanceof RegExp ? urlIn.exec(printed)?.[1] : undefined;
      if (url !== undefined) resolve(url);
    }
  };
  void read();
  if (typeof urlIn === "string") void untilAnswered(urlIn).then(() => resolve(urlIn));
  const timer = setTimeout(() => reject(new Error(`${name} did not start:\n${printed}`)), START_MS_MAX);
  void child.exited.then((code) => reject(new Error(`${name} ended with ${code}:\n${printed}`)));
  return await promise.finally(() => clearTimeout(timer));
}

async function untilAnswered(url: string): Promise<void> {
  for (let waitedMs = 0; waitedMs < START_MS_MAX; waitedMs += 100) {
    const isUp = await fetch(url).then(
      () => true,
      () => false,
    );
    if (isUp) return;
    await Bun.sleep(100);
  }
}

/** CPU time that a process and those it has started have used, over all threads, in microseconds. */
export function cpuMicros(pid: number): number {
  return treeOf(pid).reduce((sum, member) => sum + ownCpuMicros(member), 0);
}

/** Resident memory of a process and those it has started, in bytes (Linux: `/proc/PID/statm`, pages of 4 KiB). */
export function residentBytes(pid: number): number {
  return treeOf(pid).reduce(
    (sum, member) => sum + Number(readFileSync(`/proc/${member}/statm`, "utf8").split(" ")[1]) * 4_096,
    0,
  );
}

/** CPU time of each kind of thread in a process, in microseconds. Threads that have ended are left out. */
export function threadMicros(pid: number): ReadonlyMap<string, number> {
  const micros = new Map<string, number>();
  for (const member of treeOf(pid)) {
    for (const thread of readdirSync(`/proc/${member}/task`)) {
      const folder = `/proc/${member}/task/${thread}`;
      const isMain = Number(thread) === member;
      const kind = isMain ? "main" : kindOf(readFileSync(`${folder}/comm`, "utf8").trim());
      const [nanos] = readFileSync(`${folder}/schedstat`, "utf8").split(" ");
      micros.set(kind, (micros.get(kind) ?? 0) + Number(nanos) / NANOS_PER_MICRO);
    }
  }
  return micros;
}

/** Threads that differ only in their number are of one kind. */
function kindOf(name: string): string {
  return name.replace(/[ :-]*\d+(:.*)?$/, "");
}

function treeOf(pid: number): readonly number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(treeOf)];
}

function ownCpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * MICROS_PER_SECOND;
}
