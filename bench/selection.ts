import { AccountSpend } from "#accounts/account-spend.ts";
import { AccountSelector } from "#accounts/select-account.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { openLocalCoordination } from "#coordination/local/open.ts";
import { DEFAULT_SETTINGS } from "#domain/settings.ts";
import { systemClock } from "#kernel/clock.ts";
import { accountWith, groupWith } from "../test/accounts/pool.ts";
import type { BenchRun } from "./bench-run.ts";
import { percentiles } from "./percentiles.ts";

const POOL_SIZES = [1, 10, 100, 1_000] as const;
const ROUNDS = 20_000;
const WARM_UP_ROUNDS = 5_000;
const US_PER_MS = 1_000;

/** Times choosing an account for a new conversation, by the size of the pool, in microseconds. */
export async function selection({ report }: BenchRun): Promise<void> {
  const rows = POOL_SIZES.map((size) => {
    const { p50, p99, p999 } = percentiles(timesFor(size));
    return { name: `${size.toLocaleString("en")} accounts`, cells: [p50, p99, p999] };
  });
  report({
    id: "selection",
    title: "Choosing an account for a new conversation, by the size of the pool",
    columns: ["p50", "p99", "p99.9"].map((name) => ({ name, unit: "µs", digits: 1 })),
    rows,
    notes: [],
  });
}

function timesFor(size: number): number[] {
  const accounts = Array.from({ length: size }, (_, index) => accountWith({ id: index + 1, concurrency: 8 }));
  const memory = MemoryMap.create({ threads: 1, rows: size * 2 + 16, entriesPerThread: 1_024 });
  const selector = new AccountSelector({
    snapshot: { accountsOf: () => accounts, accountsVersion: 1, settings: DEFAULT_SETTINGS },
    coordination: openLocalCoordination(memory.buffer, 0),
    spend: new AccountSpend(),
    clock: systemClock,
    waitMsMax: 1_000,
    waitersMax: 100,
  });
  const group = groupWith();
  const { signal } = new AbortController();
  const times: number[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round++) {
    const startedAt = performance.now();
    const selected = selector.select({
      group,
      model: "claude-sonnet-4-6",
      sessionKey: `session ${round}`,
      isMessage: true,
      exclude: new Set(),
      pin: undefined,
      signal,
      onChoice: () => undefined,
    });
    const tookMs = performance.now() - startedAt;
    if (!(selected instanceof Promise)) selected.lease.release();
    if (round >= WARM_UP_ROUNDS) times.push(tookMs * US_PER_MS);
  }
  return times;
}
