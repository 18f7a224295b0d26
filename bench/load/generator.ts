import { Caller, requestBytes } from "./caller.ts";
import type { ClosedJob, HoldJob, Job, JobResult, OpenJob } from "./jobs.ts";
import type { PacerJob } from "./pacer.ts";
import { scheduleOf } from "./schedule.ts";

/**
 * The load generator, in a process of its own so that what it costs is nobody else's. Takes jobs over IPC, one
 * at a time, and answers each with how it went.
 */

/** Connections one job may open. */
const CALLERS_MAX = 8_192;
/** Streams to be held that are being opened at once. */
const OPENING_MAX = 512;
/** How long it is waited for the pacer, to start or to say that something is due, in milliseconds. */
const PACER_MS_MAX = 10_000;
/** How long an open job waits for its last answers, in milliseconds; what is still out then has failed. */
const LAST_ANSWERS_MS_MAX = 10_000;

process.on("message", (job: Job) => {
  void run(job).then((result) => process.send?.(result));
});
process.on("disconnect", () => process.exit(0));

function run(job: Job): Promise<JobResult> {
  if (job.kind === "open") return runOpen(job);
  return job.kind === "closed" ? runClosed(job) : runHold(job);
}

class Tally {
  readonly startedAt = performance.now();
  readonly latencies: number[] = [];
  readonly firstTokens: number[] = [];
  readonly lags: number[] = [];
  readonly failures: Record<string, number> = {};
  ended = 0;

  fail(problem: string): void {
    this.failures[problem] = (this.failures[problem] ?? 0) + 1;
  }

  result(): JobResult {
    const { latencies, firstTokens, lags, failures, startedAt } = this;
    return { latencies, firstTokens, lags, failures, tookMs: performance.now() - startedAt };
  }
}

async function runOpen(job: OpenJob): Promise<JobResult> {
  const pacer = await openPacer();
  const { target } = job;
  const request = requestBytes(target);
  const schedule = scheduleOf(job);
  const tally = new Tally();
  const idle: Caller[] = [];
  const { promise, resolve } = Promise.withResolvers<JobResult>();
  let opened = 0;
  let sent = 0;
  const giveUp = (): void => {
    tally.failures["no answer in time"] = schedule.length - tally.ended;
    resolve(tally.result());
  };
  const open = (): Caller => {
    opened += 1;
    if (opened > CALLERS_MAX) throw new Error(`more than ${CALLERS_MAX} requests are unanswered`);
    return new Caller();
  };
  const send = (dueAt: number): void => {
    const caller = idle.pop() ?? open();
    tally.lags.push(performance.now() - dueAt);
    caller.ask(target.url, request, {
      began: () => tally.firstTokens.push(performance.now() - dueAt),
      ended: (problem) => {
        tally.ended += 1;
        if (problem === undefined) tally.latencies.push(performance.now() - dueAt);
        else tally.fail(problem);
        idle.push(caller);
        if (tally.ended === schedule.length) resolve(tally.result());
      },
    });
  };
  const sendUpTo = (due: number): void => {
    while (sent < due) send(tally.startedAt + (schedule[sent++] ?? 0));
    if (sent < schedule.length) return;
    const timer = setTimeout(giveUp, LAST_ANSWERS_MS_MAX);
    void promise.then(() => {
      clearTimeout(timer);
      for (const caller of idle) caller.leave();
    });
  };
  await onArrivals(pacer, { schedule, startAt: tally.startedAt }, sendUpTo);
  return await promise;
}

/** Starts a pacer and returns once it runs, so that what is due first is not late. */
async function openPacer(): Promise<Worker> {
  const pacer = new Worker(new URL("./pacer.ts", import.meta.url));
  const { promise, resolve, reject } = Promise.withResolvers<Worker>();
  const timer = setTimeout(() => reject(new Error("the pacer has not started")), PACER_MS_MAX);
  pacer.addEventListener("message", () => resolve(pacer), { once: true });
  return await promise.finally(() => clearTimeout(timer));
}

interface Arrivals {
  readonly schedule: Float64Array;
  /** When the schedule begins, by this thread's clock. */
  readonly startAt: number;
}

/** Calls back whenever arrivals are due, with how many are by then, until all are. */
async function onArrivals(
  pacer: Worker,
  { schedule, startAt }: Arrivals,
  onDue: (due: number) => void,
): Promise<void> {
  const shared = new Float64Array(new SharedArrayBuffer(schedule.byteLength));
  shared.set(schedule);
  const due = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const job: PacerJob = { schedule: shared, startMs: performance.timeOrigin + startAt, due };
  pacer.postMessage(job);
  for (let known = 0; known < schedule.length; ) {
    const woken = await Atomics.waitAsync(due, 0, known, PACER_MS_MAX).value;
    if (woken === "timed-out") throw new Error("the pacer has stopped");
    known = Atomics.load(due, 0);
    onDue(known);
  }
  pacer.terminate();
}

async function runClosed({ target, connections, requests, leavingShare }: ClosedJob): Promise<JobResult> {
  const request = requestBytes(target);
  const tally = new Tally();
  let sent = 0;
  let toLeave = 0;
  const line = async (): Promise<void> => {
    const caller = new Caller();
    while (sent < requests) {
      sent += 1;
      toLeave += leavingShare;
      const leaves = toLeave >= 1;
      if (leaves) toLeave -= 1;
      await ask(caller, { target, request, leaves, tally });
    }
    caller.leave();
  };
  await Promise.all(Array.from({ length: connections }, line));
  return tally.result();
}

interface Asked {
  readonly target: ClosedJob["target"];
  readonly request: Uint8Array;
  readonly leaves: boolean;
  readonly tally: Tally;
}

function ask(caller: Caller, { target, request, leaves, tally }: Asked): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const startedAt = performance.now();
  caller.ask(target.url, request, {
    began: () => {
      tally.firstTokens.push(performance.now() - startedAt);
      if (!leaves) return;
      caller.leave();
      resolve();
    },
    ended: (problem) => {
      if (problem === undefined) tally.latencies.push(performance.now() - startedAt);
      else tally.fail(problem);
      resolve();
    },
  });
  return promise;
}

async function runHold({ target, streams }: HoldJob): Promise<JobResult> {
  const request = requestBytes(target);
  const tally = new Tally();
  const open = (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const startedAt = performance.now();
    new Caller().ask(target.url, request, {
      began: () => {
        tally.firstTokens.push(performance.now() - startedAt);
        resolve();
      },
      ended: (problem) => {
        tally.fail(problem ?? "a stream that was to stay open has ended");
        resolve();
      },
    });
    return promise;
  };
  // Over so many lines: what is measured is what open streams hold, not a rush of them.
  let left = streams;
  const line = async (): Promise<void> => {
    while (left-- > 0) await open();
  };
  await Promise.all(Array.from({ length: OPENING_MAX }, line));
  return tally.result();
}
