import { expect } from "bun:test";
import type { Hold, Purse, PurseBooks } from "#coordination/holds.ts";
import { LocalHolds } from "#coordination/local/holds.ts";
import { PURSE, ROW } from "#coordination/local/memory-layout.ts";
import { MemoryMap, PURSE_KIND } from "#coordination/local/memory-map.ts";
import { reapThread } from "#coordination/local/reap.ts";
import { HandClock } from "./hand-clock.ts";
import type { Shuffle } from "./shuffle.ts";

const THREADS = 3;
const SUPERVISOR = THREADS;
const PURSES: readonly Purse[] = [
  { kind: "user", id: 1 },
  { kind: "key", id: 1 },
];
const SIZE = {
  threads: THREADS + 1,
  rows: PURSES.length,
  entriesPerThread: 1,
  holdsPerThread: 4,
  bindings: 0,
  modelRests: 0,
  activeBlocks: 0,
};
const AMOUNT_MAX = 40;
const MONEY_MAX = 120;
const LASTS_MS = 1_000;
/** No operation writes more often. */
const WRITES_MAX = 8;

class Died extends Error {}

/** A request that has ended, in its thread's journal. */
interface Record {
  readonly purse: number;
  readonly costNanos: number;
  isBooked: boolean;
  /** The thread that lives now has been told that it is booked. */
  isTold: boolean;
  /** It is no more in the journal. */
  isReleased: boolean;
}

interface OpenHold {
  readonly hold: Hold;
  readonly purse: number;
}

/** The word that a record is booked, on its way to the incarnation of the thread that handed it over. */
interface Answer {
  readonly to: ModelThread;
  readonly record: Record;
  readonly books: PurseBooks;
}

/** A purse as the database has it. */
class Account {
  balance: number;
  revision = 1;
  booked = 0;
  /** The most that was ever paid in. */
  credit: number;
  /** What was paid in, as of each revision. */
  readonly credits = new Map<number, number>();

  constructor(balance: number) {
    this.balance = balance;
    this.credit = balance;
    this.credits.set(1, balance);
  }

  get books(): PurseBooks {
    return { availableNanos: this.balance, revision: this.revision };
  }

  change(nanos: number, cost: number): void {
    this.balance += nanos - cost;
    this.booked += cost;
    this.revision++;
    this.credits.set(this.revision, this.balance + this.booked);
    this.credit = Math.max(this.credit, this.balance + this.booked);
  }
}

/** One thread from its start to its death: its view of the holds, and what it has heard of the books. */
class ModelThread {
  readonly holds: LocalHolds;
  readonly heard: PurseBooks[];
  readonly open: OpenHold[] = [];
  /** Writes that are left before it dies; it does not die by itself while there is no number. */
  writesLeft: number | undefined;
  /** The row whose lock it has died with. */
  diedIn: number | undefined;

  constructor(memory: MemoryMap, thread: number, clock: HandClock, heard: PurseBooks[]) {
    this.heard = heard;
    const own = new MemoryMap(memory.buffer);
    const numbers = new Proxy(own.layout.numbers, {
      get: (target, place) => Reflect.get(target, place),
      set: (target, place, value) => {
        this.#write(own, thread);
        return Reflect.set(target, place, value);
      },
    });
    Object.defineProperty(own.layout, "numbers", { value: numbers });
    this.holds = new LocalHolds({ memory: own, thread, clock, onExpired: () => undefined });
  }

  /** Takes over the books unless it knows newer ones. */
  hear(purse: number, books: PurseBooks): PurseBooks {
    const known = this.heard[purse];
    const newer = known === undefined || known.revision <= books.revision ? books : known;
    this.heard[purse] = newer;
    return newer;
  }

  #write({ layout }: MemoryMap, thread: number): void {
    if (this.writesLeft === undefined || this.writesLeft-- > 0) return;
    for (let row = 0; row < PURSES.length; row++) {
      if (layout.cells[layout.rowAt(row) + ROW.lock] === thread + 1) this.diedIn = row;
    }
    throw new Died();
  }
}

/** A gateway in small: threads that take, grow and settle, journals, a ledger, and news that gets lost. */
export class HoldsModel {
  readonly #shuffle: Shuffle;
  readonly #clock = new HandClock();
  readonly #memory = MemoryMap.create(SIZE);
  readonly #accounts: readonly Account[];
  readonly #threads: ModelThread[] = [];
  readonly #journals: Record[][] = Array.from({ length: THREADS }, () => []);
  #answers: Answer[] = [];
  /** Revisions that a thread has died with while it may have been writing down what they say, by purse. */
  readonly #torn: number[][] = PURSES.map(() => []);
  /** Costs never exceed holds, nothing expires and nothing is taken out, so the sum must hold at every moment. */
  readonly #isCalm: boolean;

  constructor(shuffle: Shuffle) {
    this.#shuffle = shuffle;
    this.#isCalm = shuffle.below(2) === 0;
    this.#accounts = PURSES.map(() => new Account(shuffle.below(MONEY_MAX)));
    for (let thread = 0; thread < THREADS; thread++) this.#begin(thread);
  }

  /** Does something at random, and checks what must hold after it. */
  async step(): Promise<void> {
    const thread = this.#shuffle.below(THREADS);
    const kind = this.#shuffle.below(100);
    if (kind < 30) await this.#mayDie(thread, () => this.#take(thread));
    else if (kind < 38) await this.#mayDie(thread, () => this.#extend(thread));
    else if (kind < 60) await this.#mayDie(thread, () => this.#settle(thread));
    else if (kind < 72) this.#book(this.#pick(this.#journals[thread]), thread);
    else if (kind < 84) await this.#deliver(this.#pick(this.#answers));
    else if (kind < 90) this.#announce(thread);
    else if (kind < 94) this.#adjust();
    else if (kind < 96) await this.#die(thread);
    else if (kind < 98) this.#release(thread);
    else if (!this.#isCalm) this.#clock.nowMs += this.#shuffle.below(LASTS_MS);
    this.#checkEveryMoment();
  }

  /** Lets everything end, and checks that nothing is left over and that the books agree. */
  async drain(): Promise<void> {
    for (let thread = 0; thread < THREADS; thread++) {
      const isLeft = (): boolean => (this.#threads[thread]?.open.length ?? 0) > 0;
      while (isLeft()) this.#settle(thread);
      for (const record of this.#journals[thread] ?? []) this.#book(record, thread);
    }
    while (this.#answers.length > 0) await this.#deliver(this.#pick(this.#answers), false);
    const view = this.#thread(0).holds;
    for (const [purse, account] of this.#accounts.entries()) {
      const id = PURSES[purse] as Purse;
      expect(view.status(id)).toEqual({ heldNanos: 0, unbookedNanos: 0 });
      expect(account.booked).toBe(this.#costs(purse));
      const ask = (amountNanos: number) =>
        view.take({
          purse: id,
          requestId: "last",
          amountNanos,
          books: account.books,
          expiresAtMs: this.#clock.nowMs + 1,
        });
      expect(ask(Math.max(0, account.balance) + 1).granted).toBe(false);
      if (account.balance > 0) expect(ask(account.balance).granted).toBe(true);
    }
  }

  #take(thread: number): void {
    const view = this.#thread(thread);
    const purse = this.#shuffle.below(PURSES.length);
    const amountNanos = 1 + this.#shuffle.below(AMOUNT_MAX);
    const books = this.#booksOf(thread, purse);
    const expiresAtMs = this.#clock.nowMs + LASTS_MS;
    const id = PURSES[purse] as Purse;
    const answer = view.holds.take({ purse: id, requestId: "r", amountNanos, books, expiresAtMs });
    if (!answer.granted) {
      expect(answer.refusal === "capacity" || answer.freeNanos < amountNanos).toBe(true);
      return;
    }
    view.open.push({ hold: answer.hold, purse });
    this.#checkAdmitted(purse);
  }

  #extend(thread: number): void {
    const open = this.#pick(this.#thread(thread).open);
    if (open === undefined) return;
    const hasGrown = open.hold.extend({
      moreNanos: 1 + this.#shuffle.below(AMOUNT_MAX),
      books: this.#booksOf(thread, open.purse),
      overdraftNanos: 0,
      expiresAtMs: this.#clock.nowMs + LASTS_MS,
    });
    if (hasGrown === true) this.#checkAdmitted(open.purse);
  }

  /** As the gateway does: settle, then record. */
  #settle(thread: number): void {
    const { open } = this.#thread(thread);
    const [ended] = open.splice(this.#shuffle.below(open.length), 1);
    if (ended === undefined) return;
    const { hold, purse } = ended;
    const bound = this.#isCalm ? hold.amountNanos : hold.amountNanos * 2;
    const costNanos = this.#shuffle.below(bound + 1);
    void hold.settle(costNanos);
    if (this.#shuffle.below(4) === 0) void hold.settle(costNanos);
    const record = { purse, costNanos, isBooked: false, isTold: false, isReleased: false };
    this.#journals[thread]?.push(record);
  }

  /** Books a record, or one that was booked before once more; now and then the ledger dies before it says so. */
  #book(record: Record | undefined, thread: number): void {
    if (record === undefined || record.isTold) return;
    const account = this.#account(record.purse);
    if (!record.isBooked && record.costNanos > 0) account.change(0, record.costNanos);
    record.isBooked = true;
    this.#answers.push({ to: this.#thread(thread), record, books: account.books });
  }

  async #deliver(answer: Answer | undefined, mayDie = true): Promise<void> {
    if (answer === undefined) return;
    const { to, record, books } = answer;
    this.#answers = this.#answers.filter((other) => other !== answer);
    const thread = this.#threads.indexOf(to);
    if (thread < 0 || record.isTold) return;
    const tell = (): void => {
      const newest = to.hear(record.purse, books);
      const purse = PURSES[record.purse] as Purse;
      to.holds.booked({ purse, costNanos: record.costNanos }, newest);
      record.isTold = true;
    };
    if (mayDie) await this.#mayDie(thread, tell);
    else tell();
  }

  #announce(thread: number): void {
    const purse = this.#shuffle.below(PURSES.length);
    this.#thread(thread).hear(purse, this.#account(purse).books);
  }

  #adjust(): void {
    const nanos = this.#shuffle.below(MONEY_MAX);
    const isUp = this.#isCalm || this.#shuffle.below(2) === 0;
    this.#account(this.#shuffle.below(PURSES.length)).change(isUp ? nanos : -nanos, 0);
  }

  /** What was told is not always off the disk when a thread dies. */
  #release(thread: number): void {
    for (const record of this.#journals[thread] ?? []) record.isReleased ||= record.isTold;
  }

  /** One time in eight the thread dies at some write of what it does, or right after it. */
  async #mayDie(thread: number, work: () => void): Promise<void> {
    const view = this.#thread(thread);
    if (this.#shuffle.below(8) > 0) return work();
    view.writesLeft = this.#shuffle.below(WRITES_MAX);
    try {
      work();
    } catch (thrown) {
      if (!(thrown instanceof Died)) throw thrown;
    }
    await this.#die(thread);
  }

  /** Reaps a thread and puts another in its place, which may die as well while it begins. */
  async #die(thread: number): Promise<void> {
    const { diedIn, heard } = this.#thread(thread);
    const { cells } = this.#memory.layout;
    if (diedIn !== undefined) cells[this.#memory.layout.rowAt(diedIn) + ROW.lock] = thread + 1;
    for (const [purse, { revision }] of heard.entries()) this.#torn[purse]?.push(revision);
    await reapThread(this.#memory, thread, SUPERVISOR);
    const view = this.#begin(thread);
    const left = this.#journals[thread]?.filter(({ isReleased }) => !isReleased) ?? [];
    for (const record of left) record.isTold = false;
    await this.#mayDie(thread, () =>
      view.holds.recount(left.map(({ purse, costNanos }) => ({ purse: PURSES[purse] as Purse, costNanos }))),
    );
  }

  #begin(thread: number): ModelThread {
    const heard = this.#accounts.map(({ books }) => books);
    const view = new ModelThread(this.#memory, thread, this.#clock, heard);
    this.#threads[thread] = view;
    return view;
  }

  #booksOf(thread: number, purse: number): PurseBooks {
    return this.#thread(thread).heard[purse] as PurseBooks;
  }

  /** What is held and what was ever spent are together never more than what was paid in, as far as is known. */
  #checkAdmitted(purse: number): void {
    const { credits } = this.#account(purse);
    const { layout } = this.#memory;
    const row = this.#memory.rowOf(PURSE_KIND[(PURSES[purse] as Purse).kind], 1, SUPERVISOR) as number;
    const known = layout.numbers[layout.purseAt(row) + PURSE.revision] as number;
    const torn = this.#torn[purse]?.filter((revision) => revision > known) ?? [];
    const credit = Math.max(...[known, ...torn].map((revision) => credits.get(revision) as number));
    expect(this.#held(purse) + this.#costs(purse)).toBeLessThanOrEqual(credit);
  }

  #checkEveryMoment(): void {
    if (!this.#isCalm) return;
    for (const [purse, { credit }] of this.#accounts.entries()) {
      if (this.#held(purse) + this.#costs(purse) > credit) expect.unreachable("more is spent than there is");
    }
  }

  #held(purse: number): number {
    const open = this.#threads.flatMap((thread) => thread.open);
    const counted = open.filter((one) => one.purse === purse && one.hold.expiresAtMs > this.#clock.nowMs);
    return counted.reduce((sum, { hold }) => sum + hold.amountNanos, 0);
  }

  #costs(purse: number): number {
    const records = this.#journals.flat().filter((record) => record.purse === purse);
    return records.reduce((sum, { costNanos }) => sum + costNanos, 0);
  }

  #account(purse: number): Account {
    return this.#accounts[purse] as Account;
  }

  #thread(thread: number): ModelThread {
    return this.#threads[thread] as ModelThread;
  }

  #pick<T>(from: readonly T[] | undefined): T | undefined {
    return from?.[this.#shuffle.below(from.length)];
  }
}
