import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { usageLine } from "#domain/usage-line.ts";
import { NO_USAGE } from "#domain/usage-record.ts";
import { newRequestId } from "#kernel/random.ts";
import { openStorage } from "#storage/storage.ts";
import type { BenchRun } from "./bench-run.ts";
import { percentiles } from "./percentiles.ts";
import { dropDatabase, freshDatabase, query } from "./usage-database.ts";

const NAME = "sluice_ledger_bench";
/** Records of one transaction: the most that the booker takes at once, and what comes together in 200 ms at 1,500 a second. */
const BATCHES = [
  { size: 2_000, batches: 60 },
  { size: 300, batches: 100 },
] as const;
const WARM_UPS = 5;
const KEYS = 300;
const ACCOUNTS = 20;
const MODELS = 10;
const RECORDS_PER_SECOND_MIN = 3_000;
const MINUTE_MS = 60_000;

/**
 * How many records a second are booked, with everything that a booking changes: rows, attempts, balances, quotas,
 * windows, accounts and sums by day. The records are of the present minutes, as in a busy gateway.
 *
 * @throws Error when it is too few with batches of the booker's size.
 */
export async function ledger({ say: print }: BenchRun): Promise<void> {
  const url = await freshDatabase(NAME);
  if (url === undefined) {
    print("BENCH_DATABASE_URL is not set");
    return;
  }
  const storage = openStorage(url, { connectionsMax: 1 });
  try {
    await query(url, CAST);
    await storage.usage.months.makeAhead();
    const rates: number[] = [];
    for (const { size, batches } of BATCHES) {
      const times: number[] = [];
      for (let batch = -WARM_UPS; batch < batches; batch++) {
        const lines = Array.from({ length: size }, (_, at) => lineOf(at));
        const startedAt = performance.now();
        await storage.usage.book(lines);
        if (batch >= 0) times.push(performance.now() - startedAt);
      }
      const rate = (size * batches * 1_000) / times.reduce((sum, time) => sum + time, 0);
      const { p50, p99 } = percentiles(times);
      rates.push(rate);
      print(
        `${size} at once: ${Math.round(rate)} records/s   p50 ${p50.toFixed(0)} ms   p99 ${p99.toFixed(0)} ms`,
      );
    }
    if ((rates[0] ?? 0) < RECORDS_PER_SECOND_MIN) {
      throw new Error(`fewer than ${RECORDS_PER_SECOND_MIN} records a second`);
    }
  } finally {
    await storage.close();
    await dropDatabase(NAME);
  }
}

const CAST = `
  with made as (
    insert into groups (name, platform) values ('bench', 'anthropic') returning id
  ), people as (
    insert into users (name, balance_nanos) select 'bench', 1000000000000 from generate_series(1, ${KEYS}) returning id
  )
  insert into api_keys (user_id, group_id, name, key_hash, key_hint)
  select people.id, made.id, 'bench', 'hash-' || people.id, 'hint' from people cross join made`;

function lineOf(at: number): string {
  const key = 1 + Math.floor(KEYS * Math.random() ** 2);
  const createdAtMs = Date.now() - Math.floor(Math.random() * MINUTE_MS);
  const accountId = (1 + ((key + (at % 4)) % ACCOUNTS)) as AccountId;
  return usageLine({
    ...NO_USAGE,
    requestId: newRequestId(),
    userId: key as UserId,
    apiKeyId: key as ApiKeyId,
    groupId: 1 as GroupId,
    accountId,
    model: `claude-model-${Math.floor(MODELS * Math.random() ** 2)}`,
    upstreamModel: "claude-sonnet-4-6",
    upstreamRequestId: `req_011CSHoEeqs5C35K${at}${createdAtMs}`,
    inputTokens: 1_200,
    outputTokens: 350,
    cacheReadTokens: 20_000,
    costNanos: 14_850_000n,
    listCostNanos: 14_850_000n,
    accountCostNanos: undefined,
    subscriptionId: undefined,
    attemptsDetail: [
      {
        number: 1,
        accountId,
        startedAtMs: createdAtMs + 2,
        durationMs: 4_190,
        httpStatus: 200,
        fault: undefined,
        bytes: 9_000,
        inputTokens: 21_200,
        outputTokens: 350,
        billed: "yes",
        reason: "completed",
      },
    ],
    status: "completed",
    httpStatus: 200,
    stream: true,
    usageComplete: true,
    durationMs: 4_200,
    firstTokenMs: 600,
    attempts: 1,
    createdAtMs,
  });
}
