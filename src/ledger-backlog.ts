import type { LedgerBacklog } from "#threads/messages.ts";

/** What is recorded and not booked, over all threads: as old as the oldest, as willing as the least willing. */
export function backlogOfAll(threads: readonly LedgerBacklog[]): LedgerBacklog {
  return {
    records: threads.reduce((sum, { records }) => sum + records, 0),
    bytes: threads.reduce((sum, { bytes }) => sum + bytes, 0),
    oldestMs: Math.max(0, ...threads.map(({ oldestMs }) => oldestMs)),
    canAccept: threads.every(({ canAccept }) => canAccept),
  };
}
