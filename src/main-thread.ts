import type { Link } from "#threads/link.ts";
import type { ChangeNotice, LedgerBacklog, MainThreadApi } from "#threads/messages.ts";

/** Limits of asking the main thread, in milliseconds. */
const ANNOUNCE_MS_MAX = 10_000;
const FLUSH_MS_MAX = 5_000;
const METRICS_MS_MAX = 5_000;
const TRACE_MS_MAX = 5_000;

/** What an HTTP thread asks the main thread, each within a limit of its own. Every answer may fail. */
export function mainThreadOf(main: Link<MainThreadApi>) {
  return {
    announceChange: (change: ChangeNotice): Promise<void> =>
      main.ask("announceChange", ANNOUNCE_MS_MAX, change),
    flushLedger: (): Promise<void> => main.ask("flushLedger", FLUSH_MS_MAX),
    backlog: (): Promise<LedgerBacklog> => main.ask("backlog", METRICS_MS_MAX),
    traceOf: async (requestId: string): Promise<object | undefined> =>
      (await main.ask("trace", TRACE_MS_MAX, requestId)) ?? undefined,
    problems: (): Promise<readonly string[]> => main.ask("problems", METRICS_MS_MAX),
    limitations: (): Promise<readonly string[]> => main.ask("limitations", METRICS_MS_MAX),
    metricsText: (): Promise<string> => main.ask("metricsText", METRICS_MS_MAX),
  };
}
