import { Booker } from "#billing/booker.ts";
import { UsageUpkeep } from "#billing/usage-upkeep.ts";
import { keepRefused } from "#storage/journal/journal-directory.ts";
import { runtimeSettings } from "#storage/repositories/settings.ts";
import { isDataRefused } from "#storage/server-error.ts";
import { openStorage } from "#storage/storage.ts";
import { Link, type Port } from "#threads/link.ts";
import type {
  LedgerAnswer,
  LedgerMessage,
  LedgerParentApi,
  LedgerThreadApi,
  LedgerThreadInit,
} from "#threads/messages.ts";
import { openProcessLog } from "./process-log.ts";

/** What runs in the ledger thread: books what requests used, in batches, in order. */
export function runLedgerThread(port: Port): void {
  const main = new Link<LedgerParentApi>(port);
  const running = Promise.withResolvers<ReturnType<typeof start>>();
  const api: LedgerThreadApi = {
    start: async (init) => running.resolve(start(init as LedgerThreadInit, main)),
    connect: async (port) => {
      const { booker } = await running.promise;
      port.onmessage = ({ data }) => {
        const message = data as LedgerMessage;
        if (message === "hurry") return booker.hurry();
        const { batch, lines } = message;
        booker.add(lines.split("\n"), (changes) =>
          port.postMessage({ batch, changes } satisfies LedgerAnswer),
        );
      };
    },
    close: async () => {
      const { booker, upkeep, storage, log } = await running.promise;
      await booker.flush();
      await upkeep.close();
      await storage.close();
      log.flush();
    },
  };
  main.serve(api);
}

function start(init: LedgerThreadInit, main: Link<LedgerParentApi>) {
  const log = openProcessLog(init.logLevel, init.logFormat);
  const storage = openStorage(init.databaseUrl, { connectionsMax: 1, name: "sluice ledger" });
  const booker = new Booker({
    book: (lines) => storage.usage.book(lines),
    isRefusal: isDataRefused,
    keepRefused: (line) => keepRefused(init.dataDir, line),
    onBooked: (booked) => main.tell("announceBooked", booked),
    log,
  });
  const upkeep = new UsageUpkeep({
    months: storage.usage.months,
    monthsKept: async () => runtimeSettings(await storage.settings.all()).usage_retention_months,
    log,
  });
  return { booker, upkeep, log, storage };
}
