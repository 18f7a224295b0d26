/** A gateway whose HTTP thread counts its operations: a line on standard input has them printed and begun anew. */
import { loadConfig } from "#config/config.ts";
import { startGateway } from "../../src/gateway-process.ts";
import { openProcessLog } from "../../src/process-log.ts";
import { COUNTS_CHANNEL } from "./operation-names.ts";

const PlainWorker = globalThis.Worker;
const counter = new URL("./operation-counts.ts", import.meta.url).href;
globalThis.Worker = class extends PlainWorker {
  constructor(url: string | URL, options: WorkerOptions = {}) {
    super(url, options.name?.startsWith("http") ? { ...options, preload: [counter] } : options);
  }
};

const config = loadConfig(process.env);
const gateway = await startGateway(config, openProcessLog(config.logLevel, "json"), {
  trustedOrigins: [],
  beforeServing: async () => undefined,
  upstreamRequestsMax: 65_535,
});
const channel = new BroadcastChannel(COUNTS_CHANNEL);
channel.onmessage = ({ data }) => process.stdout.write(`counted ${JSON.stringify(data)}\n`);
process.stdout.write(`Sluice serves at ${gateway.url}\n`);
process.once("SIGTERM", () => void gateway.stop().then(() => process.exit(0)));
for await (const line of console) if (line !== "") channel.postMessage(line);
