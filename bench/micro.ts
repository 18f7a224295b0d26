import { Bench } from "tinybench";
import { PriceBook } from "#billing/price-book.ts";
import { costOf } from "#billing/prices.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { LocalSlots } from "#coordination/local/slots.ts";
import { DEFAULT_SETTINGS } from "#domain/settings.ts";
import { systemClock } from "#kernel/clock.ts";
import { MessageMeter } from "#protocols/anthropic/message-meter.ts";
import { readMessages } from "#protocols/anthropic/read-messages.ts";
import { SCENARIOS } from "./scenarios.ts";

const NANOSECONDS_PER_MS = 1_000_000;
const SEED = { apiKeyId: 1, clientAddress: "127.0.0.1", userAgent: "bench/1.0", sessionId: undefined };

/** Times the parts of the request path on their own, in nanoseconds. */
export async function microBenchmarks(print: (line: string) => void): Promise<void> {
  const bench = new Bench({ time: 300, warmupTime: 100 });
  const bodies = SCENARIOS.map(({ name, body }) => [name, new TextEncoder().encode(body)] as const);
  for (const [name, body] of bodies) bench.add(`read facts: ${name}`, () => void readMessages(body, SEED));
  const slots = new LocalSlots(
    MemoryMap.create({ threads: 1, rows: 1_024, entriesPerThread: 1_024 }),
    0,
    systemClock,
  );
  const holder = { kind: "user", id: 1 } as const;
  const signal = new AbortController().signal;
  bench.add("slot: acquire and release", () => {
    const answer = slots.acquire({ holder, limit: 8, waitersMax: 8, waitMsMax: 1_000, signal });
    if ("lease" in answer) answer.lease.release();
  });
  const stream = new TextEncoder().encode(
    `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}\n\n`.repeat(
      50,
    ),
  );
  bench.add("meter: 50 events", () => new MessageMeter().push(stream));
  const prices = new PriceBook({ settings: () => DEFAULT_SETTINGS, clock: systemClock });
  const usage = {
    inputTokens: 1_000,
    outputTokens: 200,
    cacheCreationTokens: 30,
    cacheCreation5mTokens: 10,
    cacheCreation1hTokens: 20,
    cacheReadTokens: 700,
  };
  bench.add("price: one request", () => {
    const price = prices.priceOf("anthropic", "claude-sonnet-4-6");
    if (price !== undefined) costOf(price, usage, 1_000_000_000n);
  });
  await bench.run();
  for (const task of bench.tasks) print(`${task.name.padEnd(44)} ${figures(task.result)}`);
}

function figures(result: Bench["tasks"][number]["result"]): string {
  if (!("latency" in result)) return "did not run";
  const { p50, p99 } = result.latency;
  return `p50 ${nanoseconds(p50)}   p99 ${nanoseconds(p99)}`;
}

function nanoseconds(ms: number | undefined): string {
  return `${Math.round((ms ?? Number.NaN) * NANOSECONDS_PER_MS)} ns`.padStart(12);
}
