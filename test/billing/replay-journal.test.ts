import { expect, test } from "bun:test";
import { replayJournal } from "#billing/replay-journal.ts";
import { systemClock } from "#kernel/clock.ts";
import { JournalFolder, readAll } from "#support/journal-folder.ts";

const NOTHING = { balances: [], quotas: [], subscriptions: [], windows: [], spends: [], conflicts: 0 };
const LINES = Array.from({ length: 10_000 }, (_, index) => `{"request_id":"r${index}"}`);

/** A folder in which a process before this one has left its records. */
function left(): JournalFolder {
  const folder = new JournalFolder();
  const journal = folder.open({ thread: 3 });
  for (const line of LINES) journal.append(line);
  return folder;
}

const replay = (folder: JournalFolder, limitMs: number, book: (lines: readonly string[]) => Promise<void>) =>
  replayJournal({
    journal: folder.open({ thread: 0 }),
    book: async (lines) => {
      await book(lines);
      return NOTHING;
    },
    isRefusal: () => false,
    keepRefused: () => undefined,
    clock: systemClock,
    log: folder.log,
    limitMs,
  });

test("what a killed process has left is booked, each record once and in order, and nothing of it stays", async () => {
  using folder = left();
  const booked: string[] = [];
  await replay(folder, 5_000, async (lines) => void booked.push(...lines));
  expect(booked).toEqual(LINES);
  expect(folder.files).toEqual([]);
  expect(folder.events).toEqual(["ledger.replaying", "ledger.replayed"]);
});

test("what a database does not take in time stays where the next finds it, and is not touched afterwards", async () => {
  using folder = left();
  const answer = Promise.withResolvers<void>();
  await replay(folder, 10, () => answer.promise);
  expect(folder.events).toEqual(["ledger.replaying", "ledger.replay_unfinished"]);
  // It was booked after all, when nobody waited any more.
  answer.resolve();
  await Bun.sleep(20);
  expect(readAll(folder.open())).toEqual(LINES);
});

test("a database that fails while it lasts is not asked again when it is over", async () => {
  using folder = left();
  let asked = 0;
  await replay(folder, 10, async () => {
    asked++;
    throw new Error("not now");
  });
  const before = asked;
  await Bun.sleep(150);
  expect(asked).toBe(before);
  expect(readAll(folder.open())).toEqual(LINES);
});

test("an empty journal costs nothing and says nothing", async () => {
  using folder = new JournalFolder();
  await replay(folder, 10, () => Promise.reject(new Error("nothing to book")));
  expect([folder.files, folder.events]).toEqual([[], []]);
});
