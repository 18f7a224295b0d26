import { AccountSpend } from "#accounts/account-spend.ts";
import { AccountSelector } from "#accounts/select-account.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { openLocalCoordination } from "#coordination/local/open.ts";
import { DEFAULT_SETTINGS } from "#domain/settings.ts";
import { systemClock } from "#kernel/clock.ts";
import { accountWith, groupWith } from "../test/accounts/pool.ts";
import { percentiles } from "./percentiles.ts";

const POOL_SIZES = [1, 10, 100, 1_000] as const;
const ROUNDS = 20_000;
const WARM_UP_ROUNDS = 5_000;
const US_PER_MS = 1_000;

/** Times choosing an account for a new conversation, by the size of the pool, in microseconds. */
export async function selection(print: (line: string) => void): Promise<void> {
  for (const size of POOL_SIZES) {
    const { p50, p99, p999 } = percentiles(timesFor(size));
    const shown = [p50, p99, p999].map((us) => `${us.toFixed(1)} µs`);
    print(`${String(size).padStart(5)} accounts   p50 ${shown[0]}   p99 ${shown[1]}   p99.9 ${shown[2]}`);
  }
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
