/** A gateway that ends one of its threads when told to: `kill http 1` on standard input. */
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
  const [, kind, index] = /^kill (http|parse|ledger) (\d+)$/.exec(line) ?? [];
  if (kind !== undefined) gateway.terminateThread(kind as "http" | "parse" | "ledger", Number(index));
}
