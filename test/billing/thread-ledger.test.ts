import { describe, expect, jest, test } from "bun:test";
import { writeSync } from "node:fs";
import { type LedgerDoor, ThreadLedger } from "#billing/thread-ledger.ts";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { NO_USAGE, type UsageRecord } from "#domain/usage-record.ts";
import { Fault } from "#kernel/fault.ts";
import { type Disk, systemDisk } from "#storage/journal/segment.ts";
import type { ThreadJournalOptions } from "#storage/journal/thread-journal.ts";
import { diskError, JournalFolder } from "#support/journal-folder.ts";
import { HandClock } from "../coordination/hand-clock.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const recordOf = (requestId: string): UsageRecord => ({
  ...NO_USAGE,
  requestId,
  userId: 1 as UserId,
  apiKeyId: 2 as ApiKeyId,
  groupId: 3 as GroupId,
  accountId: 4 as AccountId,
  model: "claude-test",
  upstreamModel: "claude-test",
  upstreamRequestId: undefined,
  costNanos: 1n,
  accountCostNanos: undefined,
  subscriptionId: undefined,
  attemptsDetail: [],
  status: "completed",
  httpStatus: 200,
  stream: true,
  usageComplete: true,
  durationMs: 1,
  firstTokenMs: 1,
  attempts: 1,
  createdAtMs: 0,
});

/** The ledger's side of the door: what was handed over, and how often it was hurried. */
class FakeDoor implements LedgerDoor {
  readonly batches: [batch: number, ids: readonly string[]][] = [];
  hurries = 0;
  readonly #arrived: (() => void)[] = [];

  get ids(): readonly string[] {
    return this.batches.flatMap(([, ids]) => ids);
  }

  record(batch: number, lines: readonly string[]): void {
    this.batches.push([batch, lines.map(idOf)]);
    for (const resolve of this.#arrived.splice(0)) resolve();
  }

  hurry(): void {
    this.hurries++;
  }

  /** Settles at the next batch. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#arrived.push(resolve));
  }
}

/** A disk that can be told to take nothing. */
class FakeDisk implements Disk {
  isFull = false;
  writes = 0;
  readonly truncate = systemDisk.truncate;

  write(descriptor: number, bytes: Uint8Array): number {
    if (this.isFull) throw diskError("ENOSPC");
    this.writes++;
    return writeSync(descriptor, bytes);
  }
}

/** One thread's part in a folder of its own, which a second thread can take over. */
class Stage extends JournalFolder {
  readonly clock = new HandClock();
  readonly disk = new FakeDisk();

  /** A ledger with a door. */
  ledger(options: Partial<ThreadJournalOptions> = {}): Life {
    const { clock, log } = this;
    const disk: Disk = { truncate: this.disk.truncate, write: (...given) => this.disk.write(...given) };
    const journal = this.open({ clock, disk, ...options });
    const unbooked = new Set<string>();
    for (const line of journal.peek()) unbooked.add(idOf(line));
    const told: string[] = [];
    const onBooked = (lines: readonly string[]): void => void told.push(...lines.map(idOf));
    const ledger = new ThreadLedger({ journal, clock, log, onBooked });
    const door = new FakeDoor();
    ledger.connect(door);
    return { ledger, door, unbooked, told };
  }

  /** What one would find that began now. */
  heir(): readonly string[] {
    return [...this.open().peek()].map(idOf);
  }
}

/** A thread's part from its start to its death. */
interface Life {
  readonly ledger: ThreadLedger;
  readonly door: FakeDoor;
  /** What the journal had when it began. */
  readonly unbooked: ReadonlySet<string>;
  /** Records it was told of as booked. */
  readonly told: string[];
}

const idOf = (line: string): string => (JSON.parse(line) as { request_id: string }).request_id;

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`);

test("records are handed over together, in order, each once", async () => {
  using stage = new Stage();
  const { ledger, door } = stage.ledger();
  for (const name of names(600)) ledger.record(recordOf(name));
  expect(door.batches.map(([, ids]) => ids.length)).toEqual([256, 256]);
  await door.next();
  expect(door.ids).toEqual(names(600));
  expect(door.hurries).toBe(0);
});

test("what is not booked yet is handed over again to a ledger that took the place of one that died", async () => {
  using stage = new Stage();
  const { ledger, door } = stage.ledger();
  for (const name of names(600)) ledger.record(recordOf(name));
  await door.next();
  ledger.booked(1);
  const second = new FakeDoor();
  ledger.connect(second);
  expect(second.batches).toEqual(door.batches.slice(1));
  ledger.record(recordOf("late"));
  await second.next();
  expect(second.ids.at(-1)).toBe("late");
  expect(door.ids).not.toContain("late");
});

describe("the journal", () => {
  test("has a record as soon as it is recorded, before it is handed over", () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    ledger.record(recordOf("a"));
    expect(door.ids).toEqual([]);
    expect(stage.bytesOf(stage.files[0]).toString()).toContain('"request_id":"a"');
  });

  test("is empty once all is booked, and leaves no file behind", async () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    ledger.record(recordOf("a"));
    await door.next();
    expect(ledger.backlog().bytes).toBeGreaterThan(0);
    ledger.booked(1);
    expect(ledger.backlog()).toEqual({ records: 0, bytes: 0, oldestMs: 0 });
    ledger.close();
    expect(stage.files).toEqual([]);
  });

  test("gives a thread that takes the place of one that died what was not booked, before anything else", async () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    for (const name of names(300)) ledger.record(recordOf(name));
    expect(door.ids).toEqual(names(256));
    stage.clock.nowMs += 5_000;
    const second = stage.ledger();
    expect(second.ledger.backlog()).toMatchObject({ records: 300, oldestMs: 5_000 });
    second.ledger.record(recordOf("new"));
    const flush = second.ledger.flush(1_000);
    expect(second.door.ids).toEqual([...names(300), "new"]);
    second.ledger.booked(second.door.batches.length);
    await flush;
    second.ledger.close();
    expect(stage.files).toEqual([]);
  });

  test("holds what the ledger has not room for, and gives it on as the ledger catches up, each once", async () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    for (const name of names(20_000)) ledger.record(recordOf(name));
    expect(door.ids.length).toBeLessThan(4_500);
    expect(ledger.backlog().records).toBe(20_000);
    const flush = ledger.flush(1_000);
    for (let batch = 1; batch <= door.batches.length; batch++) {
      ledger.booked(batch);
      expect(door.batches.slice(batch).flatMap(([, ids]) => ids).length).toBeLessThan(4_500);
    }
    await flush;
    expect(door.ids).toEqual(names(20_000));
    expect(ledger.backlog()).toEqual({ records: 0, bytes: 0, oldestMs: 0 });
    ledger.record(recordOf("next"));
    await door.next();
    expect(door.ids.at(-1)).toBe("next");
  });

  test("tells how old the oldest record is that is not booked", async () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    ledger.record(recordOf("a"));
    stage.clock.nowMs += 700;
    await door.next();
    ledger.record(recordOf("b"));
    stage.clock.nowMs += 300;
    expect(ledger.backlog().oldestMs).toBe(1_000);
    ledger.booked(1);
    expect(ledger.backlog()).toMatchObject({ records: 1, oldestMs: 300 });
  });
});

/** A thread and those that take its place, at the mercy of chance, with a ledger that books now and then. */
class RandomLives {
  readonly booked = new Set<string>();
  deaths = 0;
  readonly #stage: Stage;
  readonly #shuffle: Shuffle;
  #current: Life;
  /** What this life has to be told of. */
  #expected = new Set<string>();
  #settled = 0;
  #recorded = 0;

  constructor(stage: Stage, shuffle: Shuffle) {
    this.#stage = stage;
    this.#shuffle = shuffle;
    this.#current = stage.ledger();
  }

  get recorded(): number {
    return this.#recorded;
  }

  async step(): Promise<void> {
    const dice = this.#shuffle.below(100);
    if (dice < 30) this.#record(this.#shuffle.below(80));
    else if (dice < 60) await this.#recordTogether(this.#shuffle.below(80));
    else if (dice < 80) this.#book(this.#shuffle.below(30));
    else if (dice < 94) jest.advanceTimersByTime(this.#shuffle.below(300));
    else if (dice < 96) this.#stage.disk.isFull = !this.#stage.disk.isFull;
    else if (dice < 98) this.#current.ledger.connect(this.#current.door);
    else this.#die();
  }

  /** The disk is well again and the ledger books all there is. */
  end(): void {
    this.#stage.disk.isFull = false;
    jest.advanceTimersByTime(1_000);
    while (this.#settled < this.#current.door.batches.length) this.#book(1);
    expect(this.#current.ledger.backlog()).toEqual({ records: 0, bytes: 0, oldestMs: 0 });
    this.#checkTold();
    expect(this.#expected.size).toBe(0);
    this.#current.ledger.close();
  }

  #record(count: number): void {
    for (let n = 0; n < count; n++) {
      const id = `r${this.#recorded++}`;
      this.#expected.add(id);
      this.#current.ledger.record(recordOf(id));
    }
  }

  /** Now and then one that cannot wait comes in between. */
  async #recordTogether(count: number): Promise<void> {
    const recordings: Promise<void>[] = [];
    for (let n = 0; n < count; n++) {
      const id = `r${this.#recorded++}`;
      this.#expected.add(id);
      recordings.push(this.#current.ledger.recordTogether(recordOf(id)));
      if (this.#shuffle.below(40) === 0) this.#record(1);
    }
    await Promise.all(recordings);
  }

  /** Each record is told of once, and only after it was booked. */
  #checkTold(): void {
    for (const id of this.#current.told.splice(0)) {
      const isRight = this.booked.has(id) && this.#expected.delete(id);
      if (!isRight) throw new Error(`told of ${id} before it was booked, or twice`);
    }
  }

  #book(count: number): void {
    const { door, ledger } = this.#current;
    for (const [batch, ids] of door.batches.slice(this.#settled, this.#settled + count)) {
      for (const id of ids) this.booked.add(id);
      this.#settled++;
      ledger.booked(batch);
      this.#checkTold();
    }
  }

  /** A thread dies only where its disk has taken all there is: what is in memory alone dies with it. */
  #die(): void {
    if (!this.#current.ledger.canAccept()) return;
    jest.clearAllTimers();
    this.#current = this.#stage.ledger();
    this.#expected = new Set(this.#current.unbooked);
    this.#settled = 0;
    this.deaths++;
  }
}

test("whatever fails and dies whenever, every record is booked, and the journal is empty in the end", async () => {
  jest.useFakeTimers();
  try {
    for (let seed = 0; seed < 10; seed++) {
      using stage = new Stage();
      const lives = new RandomLives(stage, new Shuffle(seed));
      for (let step = 0; step < 500; step++) await lives.step();
      lives.end();
      expect(lives.booked.size).toBe(lives.recorded);
      expect(lives.deaths).toBeGreaterThan(0);
      expect(stage.files).toEqual([]);
    }
  } finally {
    jest.useRealTimers();
  }
}, 60_000);

describe("records of one turn", () => {
  test("are in the journal in one write and in order when their recording settles", async () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    const recordings = names(5).map((name) => ledger.recordTogether(recordOf(name)));
    expect(stage.disk.writes).toBe(0);
    await recordings[0];
    expect(stage.disk.writes).toBe(1);
    expect(stage.heir()).toEqual(names(5));
    await Promise.all([...recordings, door.next()]);
    expect(door.ids).toEqual(names(5));
    expect(stage.disk.writes).toBe(1);
  });

  test("are written before one that is recorded at once, before a flush and before the end", () => {
    for (const end of [
      (ledger: ThreadLedger) => ledger.record(recordOf("b")),
      (ledger: ThreadLedger) => void ledger.flush(1_000).catch(() => undefined),
      (ledger: ThreadLedger) => ledger.close(),
    ]) {
      using stage = new Stage();
      const { ledger } = stage.ledger();
      void ledger.recordTogether(recordOf("a"));
      end(ledger);
      expect(stage.heir()[0]).toBe("a");
    }
  });

  test("settle when the disk takes none of them, and are booked from memory", async () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    stage.disk.isFull = true;
    await Promise.all(names(3).map((name) => ledger.recordTogether(recordOf(name))));
    expect(ledger.canAccept()).toBe(false);
    expect([...door.ids].sort()).toEqual(names(3));
    ledger.close();
  });
});

describe("a disk that takes nothing", () => {
  test("stops new requests from being taken on; records are booked from memory, and none is lost", async () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    ledger.record(recordOf("a"));
    stage.disk.isFull = true;
    expect(ledger.canAccept()).toBe(true);
    for (const name of ["b", "c"]) ledger.record(recordOf(name));
    expect(ledger.canAccept()).toBe(false);
    expect(() => ledger.checkRoom()).toThrow(Fault);
    expect(stage.logged).toEqual([
      ["journal.write_failed", { code: "ENOSPC", reason: "ENOSPC: the disk says no" }],
    ]);
    expect(ledger.backlog().records).toBe(3);
    const flush = ledger.flush(1_000);
    expect([...door.ids].sort()).toEqual(["a", "b", "c"]);
    ledger.booked(door.batches.length);
    await flush;
    expect(ledger.backlog().records).toBe(0);
    // Nothing says that the disk is better.
    expect(ledger.canAccept()).toBe(false);
    ledger.close();
  });

  test("is tried again: what is in memory only is put where it is safe, and requests are taken on again", async () => {
    using stage = new Stage();
    const { ledger } = stage.ledger();
    stage.disk.isFull = true;
    for (const name of ["a", "b"]) ledger.record(recordOf(name));
    stage.disk.isFull = false;
    while (!ledger.canAccept()) await Bun.sleep(10);
    ledger.checkRoom();
    expect(stage.events).toEqual(["journal.write_failed", "journal.writable_again"]);
    const heir = stage.ledger();
    expect([...heir.door.ids].sort()).toEqual(["a", "b"]);
    // With the one that recorded them they end like any other.
    const flush = ledger.flush(1_000);
    ledger.booked(100);
    await flush;
    expect(ledger.backlog()).toEqual({ records: 0, bytes: 0, oldestMs: 0 });
  });
});

test("a full journal refuses new requests, takes the records of those under way, and opens again when booked", async () => {
  using stage = new Stage();
  const { ledger, door } = stage.ledger({ bytesMax: 100_000 });
  let recorded = 0;
  while (ledger.canAccept()) ledger.record(recordOf(`r${recorded++}`));
  ledger.record(recordOf(`r${recorded++}`));
  let fault: unknown;
  try {
    ledger.checkRoom();
  } catch (thrown) {
    fault = thrown;
  }
  expect(fault).toMatchObject({ code: "billing.journal_full", status: 503, source: "gateway" });
  expect((fault as Fault).retryAfterMs).toBeGreaterThan(0);
  const flush = ledger.flush(1_000);
  expect(door.ids).toEqual(names(recorded));
  ledger.booked(door.batches.length);
  await flush;
  expect(ledger.canAccept()).toBe(true);
});

describe("flushing", () => {
  test("settles at once when nothing is open", async () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    await ledger.flush(1);
    expect(door.hurries).toBe(0);
  });

  test("hurries the ledger, and settles when everything recorded before is booked", async () => {
    using stage = new Stage();
    const { ledger, door } = stage.ledger();
    ledger.record(recordOf("a"));
    let isSettled = false;
    const flush = ledger.flush(1_000).then(() => {
      isSettled = true;
    });
    expect([door.ids, door.hurries]).toEqual([["a"], 1]);
    ledger.record(recordOf("b"));
    const later = ledger.flush(1_000);
    await Bun.sleep(0);
    expect(isSettled).toBe(false);
    ledger.booked(1);
    await flush;
    ledger.booked(2);
    await later;
  });

  test("is settled by a later batch too, since they are booked in order", async () => {
    using stage = new Stage();
    const { ledger } = stage.ledger();
    ledger.record(recordOf("a"));
    const flush = ledger.flush(1_000);
    ledger.record(recordOf("b"));
    const later = ledger.flush(1_000);
    ledger.booked(2);
    await Promise.all([flush, later]);
  });

  test("hurries a ledger that comes back meanwhile", async () => {
    using stage = new Stage();
    const { ledger } = stage.ledger();
    ledger.record(recordOf("a"));
    const flush = ledger.flush(1_000);
    const second = new FakeDoor();
    ledger.connect(second);
    expect([second.ids, second.hurries]).toEqual([["a"], 1]);
    ledger.booked(1);
    await flush;
  });

  test("fails when it takes too long, and loses nothing by it", async () => {
    using stage = new Stage();
    const { ledger } = stage.ledger();
    ledger.record(recordOf("a"));
    await expect(ledger.flush(1)).rejects.toThrow("behind by more than 1 ms");
    const second = new FakeDoor();
    ledger.connect(second);
    expect(second.ids).toEqual(["a"]);
    expect(second.hurries).toBe(0);
  });
});

test("too many records that are not booked are said loudly, and none is dropped", async () => {
  using stage = new Stage();
  const { ledger, door } = stage.ledger();
  const count = 103_000;
  for (const name of names(count)) ledger.record(recordOf(name));
  expect(stage.events).toEqual(["ledger.too_many_unbooked", "ledger.too_many_unbooked"]);
  expect(stage.logged[0]?.[1]["bound"]).toBe(50_000);
  const flush = ledger.flush(5_000);
  for (let batch = 1; batch <= door.batches.length; batch++) ledger.booked(batch);
  await flush;
  expect(door.ids.length).toBe(count);
  // Once it has caught up, the bound counts anew.
  for (const name of names(51_000)) ledger.record(recordOf(`s${name}`));
  expect(stage.logged.length).toBe(3);
});
