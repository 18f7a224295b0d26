import { expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { journalDirectory, keepRefused, lockJournal } from "#storage/journal/journal-directory.ts";
import { JournalFolder } from "#support/journal-folder.ts";

test("a journal is one process's, whatever the database, and this user's alone", () => {
  using folder = new JournalFolder();
  const lock = lockJournal(folder.dir);
  expect(() => lockJournal(folder.dir)).toThrow(`The usage journal is in use by process ${process.pid} `);
  expect(statSync(journalDirectory(folder.dir)).mode & 0o777).toBe(0o700);
  lock.release();
  lockJournal(folder.dir).release();
});

test("a record that can never be booked is kept whole beside the journal, and is no part of it", () => {
  using folder = new JournalFolder();
  lockJournal(folder.dir).release();
  for (const line of ['{"a":1}', '{"b":2}']) keepRefused(folder.dir, line);
  const dir = journalDirectory(folder.dir);
  expect(readFileSync(join(dir, "refused.jsonl"), "utf8")).toBe('{"a":1}\n{"b":2}\n');
  expect(folder.open({ dir }).unread).toBe(0);
});
