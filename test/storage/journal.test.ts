import { describe, expect, test } from "bun:test";
import { rmSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { systemDisk } from "#storage/journal/segment.ts";
import type { ThreadJournal } from "#storage/journal/thread-journal.ts";
import { diskError, JournalFolder, readAll } from "#support/journal-folder.ts";
import { HandClock } from "../coordination/hand-clock.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const names = (count: number, prefix = "r"): string[] =>
  Array.from({ length: count }, (_, index) => `{"request_id":"${prefix}${index}"}`);
const LONG = "x".repeat(10_000);
const longNames = (count: number): string[] => names(count, LONG);

/** A journal of many small segments at the mercy of chance, and what must still be in it. */
class RandomLife {
  readonly #unreleased = new Set<string>();
  readonly #folder: JournalFolder;
  readonly #shuffle: Shuffle;
  #journal: ThreadJournal;
  #read: { readonly line: string; readonly end: number }[] = [];
  #next = 0;

  constructor(folder: JournalFolder, shuffle: Shuffle) {
    this.#folder = folder;
    this.#shuffle = shuffle;
    this.#journal = folder.open({ bytesMax: 20_000 });
  }

  append(): void {
    const line = `{"request_id":"${this.#next++}"}`;
    this.#journal.append(line);
    this.#unreleased.add(line);
  }

  read(): void {
    const read = this.#journal.next(1 + this.#shuffle.below(20));
    for (const line of read?.lines ?? []) this.#read.push({ line, end: read?.end ?? 0 });
  }

  release(): void {
    const place = this.#read[this.#shuffle.below(this.#read.length)]?.end ?? 0;
    for (const { line, end } of this.#read) if (end <= place) this.#unreleased.delete(line);
    this.#read = this.#read.filter(({ end }) => end > place);
    this.#journal.release(place);
  }

  reopen(): void {
    this.#journal.close();
    const heir = this.#folder.open();
    const found = new Set(readAll(heir, 7));
    expect([...this.#unreleased].filter((line) => !found.has(line))).toEqual([]);
    heir.close();
    this.#read = [];
    this.#journal = this.#folder.open({ bytesMax: 20_000 });
  }
}

test("what was appended is read back once, in order, and skipped when it was taken care of", () => {
  using folder = new JournalFolder();
  const journal = folder.open();
  for (const line of names(300)) journal.append(line);
  expect(journal.unread).toBe(300);
  expect(readAll(journal)).toEqual(names(300));
  expect([journal.unread, journal.next(10)]).toEqual([0, undefined]);
  journal.append("{1}");
  journal.skip();
  journal.append("{2}");
  expect(journal.next(10)?.lines).toEqual(["{2}"]);
});

test("a journal that was left is read by the next, lines of an earlier time first", () => {
  using folder = new JournalFolder();
  const clock = new HandClock();
  for (let life = 0; life < 3; life++) {
    const journal = folder.open({ adopts: () => false, clock });
    for (const line of names(50, `life${life}-`)) journal.append(line);
    clock.nowMs += 1_000;
    journal.close();
  }
  const heir = folder.open({ clock });
  expect([heir.unread, heir.unreadSinceMs]).toEqual([150, clock.nowMs - 3_000]);
  heir.append("{}");
  const first = heir.next(10);
  expect([first?.lines, first?.sinceMs]).toEqual([names(10, "life0-"), clock.nowMs - 3_000]);
  expect(readAll(heir).slice(40)).toEqual([...names(50, "life1-"), ...names(50, "life2-"), "{}"]);
});

test("no two writers share a file, and each takes over those of its own threads", () => {
  using folder = new JournalFolder();
  for (const thread of [0, 1, 2, 3]) {
    const journal = folder.open({ thread, adopts: () => false });
    journal.append(`{${thread}}`);
    journal.close();
  }
  expect(new Set(folder.files.map((file) => file[0])).size).toBe(4);
  const heirs = [0, 1].map((thread) => folder.open({ thread, adopts: (owner) => owner % 2 === thread }));
  expect(heirs.map((heir) => [...readAll(heir)].sort())).toEqual([
    ["{0}", "{2}"],
    ["{1}", "{3}"],
  ]);
});

test("files and what is in them are this user's alone", () => {
  using folder = new JournalFolder();
  folder.open().append("{}");
  expect(statSync(folder.path(folder.files[0])).mode & 0o777).toBe(0o600);
});

describe("what is booked", () => {
  test("is removed segment by segment, and the last one emptied", () => {
    using folder = new JournalFolder();
    const journal = folder.open();
    const lines = longNames(250);
    const ends = lines.map((line) => {
      journal.append(line);
      return journal.end;
    });
    journal.skip();
    expect(folder.files.length).toBe(3);
    expect(Math.max(...folder.files.map((file) => folder.bytesOf(file).length))).toBeLessThan(1_070_000);
    journal.release(ends[0] ?? 0);
    expect(folder.files.length).toBe(3);
    journal.release(ends[110] ?? 0);
    expect(folder.files.length).toBe(2);
    journal.release(journal.end);
    expect([folder.files.length, journal.bytes]).toEqual([1, 0]);
    expect(folder.bytesOf(folder.files[0]).length).toBe(0);
    journal.append("{}");
    expect(readAll(journal)).toEqual(["{}"]);
  });

  test("is not offered again by the next process, but for part of one segment", () => {
    using folder = new JournalFolder();
    const journal = folder.open();
    const lines = longNames(1_000);
    let booked = 0;
    for (const [index, line] of lines.entries()) {
      journal.append(line);
      if (index === 899) booked = journal.end;
    }
    journal.skip();
    journal.release(booked);
    journal.close();
    const offered = readAll(folder.open());
    expect(offered.slice(-100)).toEqual(lines.slice(-100));
    expect(offered.length).toBeLessThan(100 + 106);
  });

  test("leaves nothing behind when all of it is, and the journal is closed", () => {
    using folder = new JournalFolder();
    const journal = folder.open();
    journal.append("{}");
    journal.skip();
    journal.release(journal.end);
    journal.close();
    expect(folder.files).toEqual([]);
  });

  test("whatever is appended, read, released and reopened in whatever order: nothing unreleased is lost", () => {
    using folder = new JournalFolder();
    const shuffle = new Shuffle(21);
    const life = new RandomLife(folder, shuffle);
    for (let step = 0; step < 20_000; step++) {
      const dice = shuffle.below(100);
      if (dice < 70) life.append();
      else if (dice < 90) life.read();
      else if (dice < 99) life.release();
      else life.reopen();
    }
  });
});

describe("a disk that does not take what it is given", () => {
  test("may take a part of it first: what was appended before and after is whole, and nothing else is there", () => {
    using folder = new JournalFolder();
    const shuffle = new Shuffle(31);
    const kept: string[] = [];
    const journal = folder.open({
      disk: {
        ...systemDisk,
        write: (descriptor, bytes) => {
          const chance = shuffle.below(6);
          if (chance === 0) throw diskError("ENOSPC");
          const part = chance < 3 ? 1 + shuffle.below(bytes.length) : bytes.length;
          return writeSync(descriptor, bytes, 0, part);
        },
      },
    });
    for (const line of names(2_000)) {
      try {
        journal.append(line);
        kept.push(line);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "ENOSPC" });
      }
    }
    expect(kept.length).toBeGreaterThan(100);
    expect(readAll(journal)).toEqual(kept);
    journal.close();
    expect(readAll(folder.open())).toEqual(kept);
    expect(folder.logged).toEqual([]);
  });

  test("and cannot be cleared of the part either: the next line goes to a file of its own", () => {
    using folder = new JournalFolder();
    let isBroken = false;
    const journal = folder.open({
      disk: {
        write: (descriptor, bytes) => {
          if (!isBroken) return writeSync(descriptor, bytes);
          writeSync(descriptor, bytes, 0, 10);
          throw diskError("EIO");
        },
        truncate: () => {
          throw diskError("EIO");
        },
      },
    });
    journal.append("{1}");
    isBroken = true;
    expect(() => journal.append("{2}")).toThrow("EIO");
    isBroken = false;
    journal.append("{3}");
    expect(folder.files.length).toBe(2);
    expect(readAll(journal)).toEqual(["{1}", "{3}"]);
    journal.close();
    const heir = folder.open();
    expect(readAll(heir)).toEqual(["{1}", "{3}"]);
    heir.release(heir.end);
    expect(folder.files).toEqual([]);
  });

  test("a trial tells, and is no record", () => {
    using folder = new JournalFolder();
    let isFull = true;
    const journal = folder.open({
      disk: {
        ...systemDisk,
        write: (descriptor, bytes) => {
          if (isFull) throw diskError("ENOSPC");
          return writeSync(descriptor, bytes);
        },
      },
    });
    expect(() => journal.probe()).toThrow("ENOSPC");
    isFull = false;
    journal.probe();
    journal.append("{}");
    expect(readAll(journal)).toEqual(["{}"]);
  });
});

describe("what is wrong with a file", () => {
  test("a damaged line is skipped, said loudly, and its file kept aside when the rest is booked", () => {
    using folder = new JournalFolder();
    folder.open({ adopts: () => false }).append(`{"a":1}`);
    const [file] = folder.files;
    const whole = folder.bytesOf(file);
    const damaged = Buffer.from(whole);
    damaged[35] = 0x21;
    writeFileSync(folder.path(file), Buffer.concat([whole, damaged, whole]));
    const journal = folder.open();
    expect(readAll(journal)).toEqual([`{"a":1}`, `{"a":1}`]);
    expect(folder.events).toEqual(["journal.damaged"]);
    expect(folder.logged[0]?.[1]).toMatchObject({ bytes: whole.length });
    journal.release(journal.end);
    expect(folder.files).toEqual([`${file}.damaged`]);
    expect(folder.bytesOf(`${file}.damaged`).length).toBe(whole.length * 3);
    expect(folder.open().unread).toBe(0);
  });

  test("an unfinished line at the end is cut", () => {
    using folder = new JournalFolder();
    const first = folder.open();
    for (const line of names(3)) first.append(line);
    const [file] = folder.files;
    truncateSync(folder.path(file), folder.bytesOf(file).length - 5);
    const journal = folder.open();
    expect(readAll(journal)).toEqual(names(2));
    expect(folder.events).toEqual(["journal.tail_cut"]);
    journal.release(journal.end);
    expect(folder.files).toEqual([]);
  });

  test("one that somebody has removed is said loudly and does not hold up the others", () => {
    using folder = new JournalFolder();
    const first = folder.open();
    for (const line of longNames(150)) first.append(line);
    first.close();
    const journal = folder.open();
    rmSync(folder.path(folder.files[0]));
    expect(readAll(journal)).toEqual(longNames(150).slice(105));
    expect(folder.events).toEqual(["journal.file_missing"]);
    journal.release(journal.end);
    expect(folder.files).toEqual([]);
  });

  test("a file that is no segment is left alone", () => {
    using folder = new JournalFolder();
    for (const file of ["refused.jsonl", "0-1-1.journal.damaged", "00-1-1.journal", "x.journal"]) {
      writeFileSync(folder.path(file), "not mine\n");
    }
    const journal = folder.open();
    expect([journal.unread, journal.bytes]).toEqual([0, 0]);
  });
});

test("its fullness is said as it comes near, as it is reached, and when there is room again", () => {
  using folder = new JournalFolder();
  const journal = folder.open({ bytesMax: 100_000 });
  const line = `{"x":"${"x".repeat(960)}"}`;
  for (let index = 0; index < 89; index++) journal.append(line);
  expect([folder.events, journal.isFull]).toEqual([[], false]);
  while (!journal.isFull) journal.append(line);
  expect(journal.bytes).toBe(100_000);
  expect(folder.events).toEqual(["journal.nearly_full", "journal.full"]);
  // Requests that are under way are recorded all the same.
  journal.append(line);
  journal.close();
  const heir = folder.open({ bytesMax: 100_000 });
  expect(heir.isFull).toBe(true);
  readAll(heir);
  heir.release(50_000);
  expect([heir.isFull, folder.events.at(-1)]).toEqual([false, "journal.has_room"]);
});

test("the disk is made to take what was written where that is wanted", async () => {
  using folder = new JournalFolder();
  const journal = folder.open({ isSynced: true });
  for (const line of longNames(150)) journal.append(line);
  journal.close();
  await Bun.sleep(20);
  expect(folder.events).toEqual([]);
  expect(readAll(folder.open())).toEqual(longNames(150));
});
