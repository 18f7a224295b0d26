import { BadConfig, type Config, loadConfig } from "#config/config.ts";
import type { FlushableLog } from "#kernel/log.ts";
import { type RunningGateway, startGateway } from "./gateway-process.ts";
import { logFormatOf, openProcessLog } from "./process-log.ts";
import { prepareQuickstart } from "./quickstart.ts";
import { raiseRequestLimit, requestLimit } from "./request-limit.ts";

raiseRequestLimit(process.env);

const config = readConfig();
const log = openProcessLog(config.logLevel, logFormatOf(config));
const gateway = await startOrExit();

// A signal to the process group arrives more than once; the later ones must not end what the first began.
let isStopping = false;
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    if (isStopping) return;
    isStopping = true;
    void shutDown(signal);
  });
}

function readConfig(): Config {
  try {
    return loadConfig(process.env);
  } catch (thrown) {
    if (!(thrown instanceof BadConfig)) throw thrown;
    process.stderr.write(`${thrown.message}\n`);
    process.exit(1);
  }
}

async function startOrExit(): Promise<RunningGateway> {
  try {
    return process.argv.includes("--quickstart") ? await startQuickstart(log) : await startPlain(log);
  } catch (thrown) {
    log.flush();
    process.stderr.write(
      `Sluice did not start. ${thrown instanceof Error ? thrown.message : String(thrown)}\n`,
    );
    process.exit(1);
  }
}

async function startPlain(log: FlushableLog): Promise<RunningGateway> {
  const running = await startGateway(config, log, {
    trustedOrigins: [],
    beforeServing: async () => undefined,
    upstreamRequestsMax: requestLimit(process.env),
  });
  announce(running);
  return running;
}

async function startQuickstart(log: FlushableLog): Promise<RunningGateway> {
  const quickstart = await prepareQuickstart(config, process.env["ANTHROPIC_API_KEY"]);
  const running = await startGateway(config, log, {
    ...quickstart.hooks,
    upstreamRequestsMax: requestLimit(process.env),
  });
  announce(running);
  process.stdout.write(quickstart.instructions(running.url));
  return { ...running, stop: () => running.stop().finally(quickstart.stop) };
}

function announce({ url, adminToken }: RunningGateway): void {
  process.stdout.write(`Sluice serves at ${url} (API documentation: ${url}/docs)\n`);
  if (!adminToken.isNew) return;
  process.stdout.write(
    `Admin token, shown this once and kept in ${config.dataDir}/admin.token:\n  ${adminToken.value}\n`,
  );
}

async function shutDown(signal: string): Promise<void> {
  log.info("process.stopping", { signal });
  try {
    await gateway.stop();
    log.info("process.stopped");
    log.flush();
    process.exit(0);
  } catch (thrown) {
    log.error("process.stop_failed", { reason: thrown instanceof Error ? thrown.message : String(thrown) });
    process.exit(1);
  }
}
