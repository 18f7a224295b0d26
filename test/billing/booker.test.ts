import { describe, expect, test } from "bun:test";
import { Booker } from "#billing/booker.ts";
import type { AccountId, UserId } from "#domain/ids.ts";
import type { Log } from "#kernel/log.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const NOTHING = { balances: [], quotas: [], subscriptions: [], windows: [], spends: [], conflicts: 0 };

/** A database that takes what it is given, unless told otherwise, and remembers it. */
class FakeBooks {
  readonly transactions: string[][] = [];
  readonly logged: [event: string, fields: Readonly<Record<string, unknown>>][] = [];
  readonly told: unknown[] = [];
  /** Runs within each transaction; what it throws fails it. */
  onBook: (lines: readonly string[]) => unknown = () => undefined;
  /** Takes what can never be booked. */
  onRefused: (line: string) => unknown = () => undefined;

  readonly booker = new Booker({
    book: async (lines) => {
      await this.onBook(lines);
      this.transactions.push([...lines]);
      return {
        ...NOTHING,
        balances: [{ userId: 1 as UserId, balanceNanos: BigInt(lines.length), revision: 1 }],
      };
    },
    isRefusal: (thrown) => thrown instanceof Refusal,
    onBooked: (booked) => this.told.push(booked),
    keepRefused: (line) => this.onRefused(line),
    log: this.#log(),
  });

  get booked(): readonly string[] {
    return this.transactions.flat();
  }

  #log(): Log {
    const line = (event: string, fields = {}): void => void this.logged.push([event, fields]);
    return { debug: line, info: line, warn: line, error: line };
  }
}

class Refusal extends Error {}

/** Lets everything run that waits for nothing. */
const settle = () => Bun.sleep(0);

const lines = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => `record ${from + index}`);

describe("records that come close together", () => {
  test("share a transaction, and the first after a quiet time does not wait", async () => {
    const books = new FakeBooks();
    books.booker.add(["first"], () => undefined);
    await settle();
    expect(books.transactions).toEqual([["first"]]);
    const done = Promise.withResolvers<void>();
    for (const line of ["a", "b", "c"]) {
      books.booker.add([line], () => undefined);
      await settle();
    }
    books.booker.add(["d"], () => done.resolve());
    expect(books.transactions.length).toBe(1);
    await done.promise;
    expect(books.transactions).toEqual([["first"], ["a", "b", "c", "d"]]);
  });

  test("do not wait when somebody is in a hurry", async () => {
    const books = new FakeBooks();
    books.booker.add(["first"], () => undefined);
    await settle();
    books.booker.add(["second"], () => undefined);
    await settle();
    expect(books.booked).toEqual(["first"]);
    books.booker.hurry();
    await settle();
    expect(books.booked).toEqual(["first", "second"]);
    // The hurry was for those two, not for what comes later.
    books.booker.add(["third"], () => undefined);
    await settle();
    expect(books.booked).toEqual(["first", "second"]);
    await books.booker.flush();
    expect(books.booked).toEqual(["first", "second", "third"]);
  });

  test("do not wait behind a running transaction when somebody is in a hurry", async () => {
    const books = new FakeBooks();
    const running = Promise.withResolvers<void>();
    books.onBook = () => running.promise;
    books.booker.add(["first"], () => undefined);
    await settle();
    books.booker.add(["second"], () => undefined);
    books.booker.hurry();
    running.resolve();
    await settle();
    expect(books.transactions).toEqual([["first"], ["second"]]);
  });

  test("do not wait when there are enough of them", async () => {
    const books = new FakeBooks();
    books.booker.add(["first"], () => undefined);
    await settle();
    books.booker.add(lines(0, 1_999), () => undefined);
    await settle();
    expect(books.transactions.length).toBe(1);
    books.booker.add(["last"], () => undefined);
    await settle();
    expect(books.transactions.map(({ length }) => length)).toEqual([1, 2_000]);
  });
});

test("every record is booked once and in order, and said to be booked when it is", async () => {
  const books = new FakeBooks();
  const shuffle = new Shuffle(5);
  const said: number[] = [];
  let next = 0;
  for (let batch = 0; batch < 300; batch++) {
    const from = next;
    const end = from + 1 + shuffle.below(60);
    next = end;
    books.booker.add(lines(from, end), () => {
      expect(books.booked.length).toBeGreaterThanOrEqual(end);
      said.push(batch);
    });
    if (shuffle.below(5) === 0) books.booker.hurry();
    if (shuffle.below(3) === 0) await settle();
  }
  await books.booker.flush();
  expect(books.booked).toEqual(lines(0, next));
  expect(said).toEqual(lines(0, 300).map((_, index) => index));
  expect(Math.max(...books.transactions.map(({ length }) => length))).toBeLessThanOrEqual(2_000);
  expect(books.told.length).toBe(books.transactions.length);
});

test("a batch the database cannot take is offered until it does, and the log says why", async () => {
  const books = new FakeBooks();
  let failures = 2;
  books.onBook = () => {
    if (failures-- <= 0) return;
    const cause = Object.assign(new Error("connect refused"), { code: "ECONNREFUSED" });
    throw new Error("Failed query: insert ... params: everything there is", { cause });
  };
  books.booker.add(["a", "b"], () => undefined);
  await books.booker.flush();
  expect(books.transactions).toEqual([["a", "b"]]);
  expect(books.logged).toEqual([
    ["ledger.booking_failed", { records: 2, retry_ms: 100, code: "ECONNREFUSED", reason: "connect refused" }],
    ["ledger.booking_failed", { records: 2, retry_ms: 200, code: "ECONNREFUSED", reason: "connect refused" }],
  ]);
});

test("records that are refused are put aside and logged whole, and all others are booked in order", async () => {
  const books = new FakeBooks();
  const bad = new Set(["record 0", "record 17", "record 18", "record 99"]);
  books.onBook = (given) => {
    if (given.some((line) => bad.has(line))) throw new Refusal();
  };
  let saidBooked = 0;
  const aside: string[] = [];
  books.onRefused = (line) => aside.push(line);
  books.booker.add(lines(0, 60), () => saidBooked++);
  books.booker.add(lines(60, 100), () => saidBooked++);
  await books.booker.flush();
  expect(books.booked).toEqual(lines(0, 100).filter((line) => !bad.has(line)));
  expect(books.logged).toEqual([...bad].map((record) => ["ledger.record_refused", { record }]));
  expect(aside).toEqual([...bad]);
  expect(saidBooked).toBe(2);
});

test("a refused record that cannot be put aside holds up no other", async () => {
  const books = new FakeBooks();
  books.onBook = (given) => {
    if (given.includes("bad")) throw new Refusal();
  };
  books.onRefused = () => {
    throw Object.assign(new Error("no space"), { code: "ENOSPC" });
  };
  books.booker.add(["a", "bad", "b"], () => undefined);
  await books.booker.flush();
  expect(books.booked).toEqual(["a", "b"]);
  expect(books.logged.map(([event]) => event)).toEqual(["ledger.record_refused", "ledger.refused_not_kept"]);
});

test("what a booking changed is passed on, and nothing when it changed nothing", async () => {
  const told: unknown[] = [];
  const spends = [{ accountId: 3 as AccountId, quarterMs: 900_000, costNanos: 5 }];
  const answers = [NOTHING, { ...NOTHING, spends }];
  const booker = new Booker({
    book: async () => answers.shift() ?? NOTHING,
    isRefusal: () => false,
    onBooked: (booked) => told.push(booked),
    keepRefused: () => undefined,
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  for (const line of ["a", "b", "c"]) {
    booker.add([line], () => undefined);
    await booker.flush();
  }
  expect(told).toEqual([{ ...NOTHING, spends }]);
});
