import { parseArgs } from "node:util";
import { startSimulator } from "./simulator.ts";

/** Runs a simulator as its own process: prints its address as one line of JSON, stops on SIGTERM. */
const { values } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    hostname: { type: "string", default: "127.0.0.1" },
  },
});
const simulator = await startSimulator({ port: Number(values.port), hostname: values.hostname });
const stop = (): void => {
  void simulator.stop().then(() => process.exit(0));
};
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
process.stdout.write(`${JSON.stringify({ url: simulator.url })}\n`);
