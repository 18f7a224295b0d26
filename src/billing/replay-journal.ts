import type { Clock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import type { ThreadJournal } from "#storage/journal/thread-journal.ts";
import { Booker, type BookerParts } from "./booker.ts";
import { ThreadLedger } from "./thread-ledger.ts";

interface ReplayParts extends Omit<BookerParts, "onBooked" | "log"> {
  /** One that has taken over what a process before this one has left. It is closed at the end. */
  readonly journal: ThreadJournal;
  readonly clock: Clock;
  readonly log: Log;
  readonly limitMs: number;
}

const NOTHING = { balances: [], quotas: [], subscriptions: [], windows: [], spends: [], conflicts: 0 };

/**
 * Books what a process before this one has recorded and not booked, so that balances are right before the
 * first request is served. What is not booked within the limit stays in the journal, where the HTTP threads
 * find it. Never rejects.
 */
export async function replayJournal(parts: ReplayParts): Promise<void> {
  const { journal, clock, log, limitMs } = parts;
  let isOver = false;
  const booker = new Booker({
    ...parts,
    // A booker tries for ever. Once this is over, nothing comes of it: the closed journal keeps what it has.
    book: async (lines) => (isOver ? NOTHING : await parts.book(lines)),
    onBooked: () => undefined,
  });
  const ledger = new ThreadLedger({ journal, clock, log });
  const { records } = ledger.backlog();
  ledger.connect({
    record: (batch, lines) => booker.add(lines, () => ledger.booked(batch)),
    hurry: () => booker.hurry(),
  });
  try {
    await ledger.flush(limitMs);
    if (records > 0) log.info("ledger.replayed", { records });
  } catch {
    log.warn("ledger.replay_unfinished", { records: ledger.backlog().records });
  } finally {
    isOver = true;
    ledger.close();
  }
}
