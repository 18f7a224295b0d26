import { Link } from "#threads/link.ts";
import type { ParseThreadApi } from "#threads/messages.ts";
import { ParsePool } from "#threads/parse-pool.ts";
import type { BenchRun } from "./bench-run.ts";
import type { Table } from "./table.ts";

const SIZES = [1_000, 4_000, 8_000, 16_000, 32_000, 64_000, 250_000, 1_000_000];
const SEED = { apiKeyId: 1, clientAddress: "127.0.0.1", userAgent: "bench/1.0", sessionId: undefined };
const IN_FLIGHT = 32;
const BYTES_PER_SIZE = 60_000_000;
const BODIES_MAX = 20_000;

/**
 * What reading a body costs the thread that accepts it, inline and over a parse thread, by size. The
 * default of `PARSE_OFFLOAD_BYTES` follows from it, and from how long one read may hold up the others.
 */
export async function parseCrossover({ report }: BenchRun): Promise<void> {
  const worker = new Worker(new URL("../workers/parse.ts", import.meta.url));
  const link = new Link<ParseThreadApi>(worker);
  await link.ask("start", 10_000, undefined);
  const { port1, port2 } = new MessageChannel();
  link.hand("connect", port1);
  const pool = new ParsePool(0);
  pool.connect(0, port2);
  const inline = new ParsePool(Number.POSITIVE_INFINITY);
  const rows: Table["rows"][number][] = [];
  for (const size of SIZES) {
    const here = await accepting(inline, size);
    const there = await accepting(pool, size);
    rows.push({ name: `${size.toLocaleString("en")} B`, cells: [here, there] });
  }
  report({
    id: "parse",
    title: "Reading a body: CPU time of the accepting thread",
    columns: [
      { name: "inline", unit: "µs", digits: 1 },
      { name: "on a parse thread", unit: "µs", digits: 1 },
    ],
    rows,
    notes: [],
  });
  worker.terminate();
}

/** CPU time of this thread per body, in microseconds. */
async function accepting(pool: ParsePool, size: number): Promise<number> {
  const text = 'He said "yes", then\nleft — 世界 \\ and so on. ';
  const content = text.repeat(Math.ceil(size / JSON.stringify(text).length));
  const template = new TextEncoder().encode(
    JSON.stringify({ model: "claude-sonnet-4-6", max_tokens: 1, messages: [{ role: "user", content }] }),
  );
  const bodies = Math.min(BODIES_MAX, Math.ceil(BYTES_PER_SIZE / size));
  let left = Math.ceil(bodies / 4);
  const run = async (): Promise<void> => {
    while (left-- > 0) await pool.read(template.slice(), SEED);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, run));
  left = bodies;
  const before = process.threadCpuUsage();
  await Promise.all(Array.from({ length: IN_FLIGHT }, run));
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / bodies;
}
