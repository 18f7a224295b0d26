/** A gateway that ends one of its HTTP threads when told to: `kill N` on standard input. */
import { loadConfig } from "#config/config.ts";
import { startGateway } from "../../src/gateway-process.ts";
import { openProcessLog } from "../../src/process-log.ts";

const config = loadConfig(process.env);
const gateway = await startGateway(config, openProcessLog(config.logLevel, "json"), {
  trustedOrigins: [],
  beforeServing: async () => undefined,
  upstreamRequestsMax: 65_535,
});
process.stdout.write(`Sluice serves at ${gateway.url}\n`);
process.once("SIGTERM", () => void gateway.stop().then(() => process.exit(0)));
for await (const line of console) {
  const index = /^kill (\d+)$/.exec(line)?.[1];
  if (index !== undefined) gateway.terminateHttpThread(Number(index));
}
