import { heapStats } from "bun:jsc";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { COUNTED, HEAP_CHANNEL, type HeapCounts } from "./heap-orders.ts";

/** Loaded into a thread before its own code: collects garbage when asked, and writes what is left into a folder. */
const channel = new BroadcastChannel(HEAP_CHANNEL);
channel.onmessage = ({ data }) => {
  Bun.gc(true);
  const { objectTypeCounts } = heapStats();
  const counts = Object.fromEntries(COUNTED.map((kind) => [kind, objectTypeCounts[kind] ?? 0]));
  writeFileSync(join(String(data), `${threadId}.json`), JSON.stringify(counts satisfies Partial<HeapCounts>));
};
