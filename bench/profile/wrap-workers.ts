import { tmpdir } from "node:os";
import { PROFILE_CHANNEL, type ProfileOrder } from "./orders.ts";

/**
 * Loaded before the gateway, by the profile benchmark only: gives every thread a sampler and passes on what
 * standard input says. `start` begins; `stop FOLDER` ends and writes one profile per thread there.
 */
const channel = new BroadcastChannel(PROFILE_CHANNEL);
const PlainWorker = globalThis.Worker;
const sampler = new URL("./sampler.ts", import.meta.url).href;

class SampledWorker extends PlainWorker {
  constructor(url: string | URL, options: WorkerOptions = {}) {
    const env = { ...process.env, BENCH_THREAD: options.name ?? "thread" } as Record<string, string>;
    super(url, { ...options, preload: [sampler], env });
  }
}
globalThis.Worker = SampledWorker;

void (async () => {
  for await (const line of console) {
    const [word, folder = tmpdir()] = line.split(" ");
    channel.postMessage({ isStart: word === "start", folder } satisfies ProfileOrder);
  }
})();
