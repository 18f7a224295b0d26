import { HEAP_CHANNEL } from "./heap-orders.ts";

/** Loaded before the gateway, by the soak only: gives every thread a probe. A line on standard input names a folder. */
const channel = new BroadcastChannel(HEAP_CHANNEL);
const PlainWorker = globalThis.Worker;
const probe = new URL("./heap-probe.ts", import.meta.url).href;

class ProbedWorker extends PlainWorker {
  constructor(url: string | URL, options: WorkerOptions = {}) {
    super(url, { ...options, preload: [probe] });
  }
}
globalThis.Worker = ProbedWorker;

void (async () => {
  for await (const folder of console) channel.postMessage(folder);
})();
