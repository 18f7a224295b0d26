import { dlopen, FFIType } from "bun:ffi";
import { readdirSync, readFileSync } from "node:fs";
import { C_LIBRARY } from "./c-library.ts";

/**
 * Threads of the runtime for which nobody waits: what compiles and what gives memory back (names of Bun 1.4). The
 * collector's are not among them: while they mark, requests stand still.
 */
const BACKGROUND_NAMES = ["JITWorker", "JSCWarmUp", "mi-scavenger"] as const;
/** How much nicer than the others a thread is that nobody waits for, of 19. */
const BACKGROUND_NICE = 10;
/** Linux's `PRIO_PROCESS`, which here means one thread. */
const PRIO_PROCESS = 0;
/** How often new threads are looked for, in milliseconds. The runtime ends idle ones and starts others. */
const LOOK_MS = 1_000;
const TASKS = "/proc/self/task";

/**
 * Ranks the runtime's own threads behind those that serve, so that they do not hold up requests where there are no
 * more processors than busy threads: compiling and giving memory back yield to everything else. Linux only;
 * elsewhere, or where it is not allowed, everything stays as it is. Returns what ends it.
 */
export function rankThreads(): () => void {
  const rank = process.platform === "linux" ? openRanks() : undefined;
  if (rank === undefined) return () => undefined;
  // All of them each time: a thread is there for a moment before it has its name.
  const look = (): void => {
    for (const id of threadsHere()) rank(Number(id), nameOf(id));
  };
  look();
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

function openRanks(): ((thread: number, name: string) => void) | undefined {
  try {
    const { symbols } = dlopen(C_LIBRARY, {
      setpriority: { args: [FFIType.int, FFIType.u32, FFIType.int], returns: FFIType.int },
    });
    return (thread, name) => {
      if (BACKGROUND_NAMES.some((known) => name.startsWith(known))) {
        symbols.setpriority(PRIO_PROCESS, thread, BACKGROUND_NICE);
      }
    };
  } catch {
    return undefined;
  }
}

/** None where a system does not show them. */
function threadsHere(): readonly string[] {
  try {
    return readdirSync(TASKS);
  } catch {
    return [];
  }
}

/** Empty for a thread that has just ended. */
function nameOf(thread: string): string {
  try {
    return readFileSync(`${TASKS}/${thread}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}
