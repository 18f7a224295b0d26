import { readFileSync } from "node:fs";

/** Ticks of the kernel's CPU accounting per second; 100 on every Linux that Bun runs on. */
const TICKS_PER_SECOND = 100;
const START_MS_MAX = 120_000;

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
  readonly env?: Record<string, string>;
  /** Finds the URL in what the process prints. */
  readonly urlIn: RegExp;
}

/** Starts a Bun script and waits until it has printed where it serves. */
export async function serve({ name, args, env = {}, urlIn }: ServeOptions): Promise<ServingProcess> {
  const child = Bun.spawn([process.execPath, ...args], {
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "20000", NODE_ENV: "production", ...env },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let printed = "";
  const read = async (): Promise<void> => {
    for await (const chunk of child.stdout) {
      printed = (printed + new TextDecoder().decode(chunk)).slice(-100_000);
      const url = urlIn.exec(printed)?.[1];
      if (url !== undefined) resolve(url);
    }
  };
  void read();
  const timer = setTimeout(() => reject(new Error(`${name} did not start:\n${printed}`)), START_MS_MAX);
  void child.exited.then((code) => reject(new Error(`${name} ended with ${code}:\n${printed}`)));
  const url = await promise.finally(() => clearTimeout(timer));
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  const say = (line: string): void => {
    child.stdin.write(`${line}\n`);
    child.stdin.flush();
  };
  return { name, url, pid: child.pid, say, stop };
}

/** CPU time a process has used so far over all its threads, in microseconds (Linux: `/proc/PID/stat`). */
export function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1_000_000;
}

/** Resident memory of a process, in bytes (Linux: `/proc/PID/statm`, pages of 4 KiB). */
export function residentBytes(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * 4_096;
}
