import { createHmac } from "node:crypto";
import { Bench } from "tinybench";
import { PriceBook } from "#billing/price-book.ts";
import { costOf } from "#billing/prices.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { LocalSlots } from "#coordination/local/slots.ts";
import { DEFAULT_SETTINGS } from "#domain/settings.ts";
import { systemClock } from "#kernel/clock.ts";
import { EventBoundary } from "#kernel/event-boundary.ts";
import { findField, splice } from "#kernel/json-scan.ts";
import { Vault } from "#kernel/vault.ts";
import { MessageMeter } from "#protocols/anthropic/message-meter.ts";
import { readMessages } from "#protocols/anthropic/read-messages.ts";
import { readUsage } from "#protocols/anthropic/usage.ts";
import type { BenchRun } from "./bench-run.ts";

const NANOSECONDS_PER_MS = 1_000_000;
const SEED = { apiKeyId: 1, clientAddress: "127.0.0.1", userAgent: "bench/1.0", sessionId: undefined };
const BODY_BYTES = [100, 4_000, 50_000, 250_000, 1_000_000] as const;
/** Nesting that is searched for the model's name, at most. */
const DEPTH_MAX = 64;
const OUTPUT_EVENTS = 50;
const LIMIT = 8;

/** Times the parts of the request path on their own, in nanoseconds. */
export async function microBenchmarks({ report }: BenchRun): Promise<void> {
  const bench = new Bench({ time: 250, warmupTime: 100 });
  addBodies(bench);
  addSlots(bench);
  addStream(bench);
  addMoney(bench);
  addKeys(bench);
  await bench.run();
  const rows = bench.tasks.map(({ name, result }) => {
    if (!("latency" in result)) throw new Error(`${name} did not run`);
    const { mean, p50, p99 } = result.latency;
    return { name, cells: [mean, p50, p99].map((ms) => ms * NANOSECONDS_PER_MS) };
  });
  report({
    id: "micro",
    title: "Parts of the request path on their own",
    columns: ["mean", "p50", "p99"].map((name) => ({ name, unit: "ns" })),
    rows,
    notes: [
      "By tinybench. The clock costs some 30 ns of each figure. Choosing an account, the journal and the hand-off have benchmarks of their own.",
    ],
  });
}

function addBodies(bench: Bench): void {
  const upstreamModel = new TextEncoder().encode('"claude-opus-4-6"');
  for (const size of BODY_BYTES) {
    const body = bodyOf(size);
    const named = `${size.toLocaleString("en")} B`;
    bench.add(`read and hash a body: ${named}`, () => void readMessages(body, SEED));
    bench.add(`find and replace the model: ${named}`, () => {
      const range = findField(body, "model", DEPTH_MAX);
      if (range !== undefined) splice(body, range, upstreamModel);
    });
  }
}

function bodyOf(size: number): Uint8Array {
  const text = 'He said "yes", then\nleft — 世界 \\ and so on. ';
  const content = text.repeat(Math.max(1, Math.round(size / JSON.stringify(text).length)));
  return new TextEncoder().encode(
    JSON.stringify({ model: "claude-sonnet-4-6", max_tokens: 64, messages: [{ role: "user", content }] }),
  );
}

function addSlots(bench: Bench): void {
  const memory = MemoryMap.create({ threads: 1, rows: 1_024, entriesPerThread: 1_024 });
  const slots = new LocalSlots(memory, 0, systemClock);
  const { signal } = new AbortController();
  const ask = (id: number) =>
    slots.acquire({
      holder: { kind: "user", id },
      limit: id === 1 ? LIMIT : 1,
      waitersMax: LIMIT,
      waitMsMax: 60_000,
      signal,
    });
  bench.add("slot: acquire and release", () => {
    const answer = ask(1);
    if ("lease" in answer) answer.lease.release();
  });
  bench.add("slot: stand in line, be handed it, release", async () => {
    const first = await ask(2);
    const second = ask(2);
    if (first.granted) first.lease.release();
    const handed = await second;
    if (handed.granted) handed.lease.release();
  });
}

function addStream(bench: Bench): void {
  const event = `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hello"}}\n\n`;
  const whole = new TextEncoder().encode(event.repeat(OUTPUT_EVENTS));
  const single = new TextEncoder().encode(event);
  bench.add(`meter: ${OUTPUT_EVENTS} events in one chunk`, () => new MessageMeter().push(whole));
  bench.add(`meter: ${OUTPUT_EVENTS} events, one chunk each`, () => {
    const meter = new MessageMeter();
    for (let index = 0; index < OUTPUT_EVENTS; index++) meter.push(single);
  });
  bench.add(`event boundary: ${OUTPUT_EVENTS} events, one chunk each`, () => {
    const boundary = new EventBoundary();
    for (let index = 0; index < OUTPUT_EVENTS; index++) boundary.split(single);
  });
  const answer = new TextEncoder().encode(
    JSON.stringify({
      id: "msg_01",
      type: "message",
      content: [{ type: "text", text: "hello ".repeat(100) }],
      usage: { input_tokens: 1_200, output_tokens: 350, cache_read_input_tokens: 20_000 },
    }),
  );
  bench.add("usage of a whole answer", () => void readUsage(answer));
}

function addMoney(bench: Bench): void {
  const prices = new PriceBook({ settings: () => DEFAULT_SETTINGS, clock: systemClock });
  const usage = {
    inputTokens: 1_000,
    outputTokens: 200,
    cacheCreationTokens: 30,
    cacheCreation5mTokens: 10,
    cacheCreation1hTokens: 20,
    cacheReadTokens: 700,
  };
  bench.add("price of one request", () => {
    const price = prices.priceOf("anthropic", "claude-sonnet-4-6");
    if (price !== undefined) costOf(price, usage, 1_000_000_000n);
  });
}

function addKeys(bench: Bench): void {
  const vault = new Vault(Buffer.alloc(32, 7).toString("base64"));
  const key = `sk-${"a".repeat(48)}`;
  const secret = Buffer.alloc(32, 7);
  bench.add("hash a presented key", () => void vault.hashApiKey(key));
  bench.add(
    "HMAC-SHA-256 alone, for comparison",
    () => void createHmac("sha256", secret).update(key).digest(),
  );
}
