import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LedgerDoor, ThreadLedger } from "#billing/thread-ledger.ts";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { NO_USAGE, type UsageRecord } from "#domain/usage-record.ts";
import { systemClock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import { ThreadJournal } from "#storage/journal/thread-journal.ts";
import type { BenchRun } from "./bench-run.ts";
import { percentiles } from "./percentiles.ts";

const RECORDS = 200_000;
const WARM_UPS = 20_000;
/** Records between two moments in which the thread does something else, as in a busy one. */
const RECORDS_PER_TICK = 50;
const MICROSECONDS_PER_MS = 1_000;
const BYTES_PER_MIB = 1_048_576;
const READ_AT_ONCE = 256;

const quiet = (): void => undefined;
const QUIET: Log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

const recordOf = (index: number): UsageRecord => ({
  ...NO_USAGE,
  requestId: `req_01JCBENCH${String(index).padStart(13, "0")}`,
  userId: 1 as UserId,
  apiKeyId: 2 as ApiKeyId,
  groupId: 3 as GroupId,
  accountId: 4 as AccountId,
  model: "claude-sonnet-4-6",
  upstreamModel: "claude-sonnet-4-6",
  upstreamRequestId: "req_011CSHoEeqs5C35K2UUqR7Fy",
  inputTokens: 1_200,
  outputTokens: 350,
  cacheReadTokens: 20_000,
  costNanos: 14_850_000n,
  accountCostNanos: undefined,
  subscriptionId: undefined,
  attemptsDetail: [],
  status: "completed",
  httpStatus: 200,
  stream: true,
  usageComplete: true,
  durationMs: 4_200,
  firstTokenMs: 600,
  attempts: 1,
  createdAtMs: 1_800_000_000_000,
});

/**
 * What the journal costs a request: from the finished record to the moment in which the operating system has
 * it, everything included that the HTTP thread does for it then. And how fast a journal is read back.
 */
export async function journal({ report }: BenchRun): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "sluice-bench-"));
  try {
    const ledger = new ThreadLedger({ journal: open(dir, 0), clock: systemClock, log: QUIET });
    ledger.connect(obligingLedger(ledger));
    await record(ledger, WARM_UPS);
    const costs = await record(ledger, RECORDS);
    const { p50, p99, max } = percentiles(costs.map((ms) => ms * MICROSECONDS_PER_MS));
    const mean = (costs.reduce((sum, cost) => sum + cost, 0) / costs.length) * MICROSECONDS_PER_MS;
    await ledger.flush(1_000);
    ledger.close();
    const { name, micros } = await readBack(dir);
    report({
      id: "journal",
      title: "Recording what a request used, and reading it back",
      columns: ["mean", "p50", "p99", "max"].map((column) => ({ name: column, unit: "µs", digits: 1 })),
      rows: [
        { name: "a record written", cells: [mean, p50, p99, max] },
        { name, cells: [micros, undefined, undefined, undefined] },
      ],
      notes: [],
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function open(dir: string, thread: number): ThreadJournal {
  return new ThreadJournal({
    dir,
    thread,
    adopts: () => true,
    bytesMax: 1_024 * BYTES_PER_MIB,
    isSynced: false,
    clock: systemClock,
    log: QUIET,
  });
}

/** Books everything at its leisure, as far as the thread can tell. */
function obligingLedger(ledger: ThreadLedger): LedgerDoor {
  return {
    record: (batch) => void setImmediate(() => ledger.booked(batch)),
    hurry: quiet,
  };
}

/** What each took, in milliseconds. */
async function record(ledger: ThreadLedger, count: number): Promise<readonly number[]> {
  const costs: number[] = [];
  for (let index = 0; index < count; index++) {
    const made = recordOf(index);
    const startedAt = performance.now();
    ledger.record(made);
    costs.push(performance.now() - startedAt);
    if (index % RECORDS_PER_TICK === 0) await Bun.sleep(0);
  }
  return costs;
}

async function readBack(dir: string): Promise<{ readonly name: string; readonly micros: number }> {
  const left = new ThreadLedger({ journal: open(dir, 0), clock: systemClock, log: QUIET });
  for (let index = 0; index < RECORDS; index++) left.record(recordOf(index));
  left.close();
  const startedAt = performance.now();
  const heir = open(dir, 1);
  const openedAt = performance.now();
  let records = 0;
  for (let read = heir.next(READ_AT_ONCE); read !== undefined; read = heir.next(READ_AT_ONCE)) {
    records += read.lines.length;
  }
  const tookMs = performance.now() - openedAt;
  const mib = heir.bytes / BYTES_PER_MIB;
  heir.release(heir.end);
  heir.close();
  const found = (openedAt - startedAt).toFixed(0);
  return {
    name: `a record read, of ${records.toLocaleString("en")} left behind (${mib.toFixed(0)} MiB, found in ${found} ms)`,
    micros: (tookMs / records) * MICROSECONDS_PER_MS,
  };
}
