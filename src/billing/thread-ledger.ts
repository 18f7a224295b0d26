import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import type { Clock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import type { Log } from "#kernel/log.ts";
import type { ThreadJournal } from "#storage/journal/thread-journal.ts";
import { GroupCommit } from "./group-commit.ts";
import type { Backlog, Ledger } from "./ledger.ts";

/** Records wait this long for company before they are handed over, in milliseconds. */
const GATHER_MS = 20;
/** Records that are handed over at once. */
const GATHER_MAX = 256;
/**
 * Records that may be with the ledger thread and not booked: two of its transactions, so that it never waits
 * for more. Further ones stay in the journal and are read back from there, so that however long the database
 * is away, no memory is used for it.
 */
const HANDED_MAX = 4_096;
/** A backlog of so many records is said loudly, and again each time as many more have come. */
const UNBOOKED_MAX = 50_000;
/** Pause before what the disk did not take, or did not give, is tried again, in milliseconds. */
const RETRY_MS = 250;
/** When a client that was refused for a journal without room may come again, in milliseconds. */
const REFUSED_MS = 2_000;
const REASON_LENGTH_MAX = 200;

/** The way to the ledger thread that lives now. */
export interface LedgerDoor {
  /** Hands a batch over; the ledger says so when it is booked. */
  record(batch: number, lines: readonly string[]): void;
  /** Has what was handed over booked at once. */
  hurry(): void;
}

/** What is used of a journal. */
type Journal = Pick<ThreadJournal, keyof ThreadJournal>;

/** What a {@link ThreadLedger} works with. */
export interface ThreadLedgerParts {
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of records that are booked, or will never be: of each of them once. */
  readonly onBooked?: (lines: readonly string[]) => void;
}

interface Batch {
  readonly lines: readonly string[];
  /** When the first of them was recorded, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** Up to which place of the journal all is booked with it; undefined: the disk did not take it. */
  readonly end: number | undefined;
}

/** Who waits for what to be booked, with all before it. */
interface Flush {
  readonly batch: number;
  readonly place: number;
  readonly settle: () => void;
}

/**
 * One thread's way to the ledger. A record is written to the journal first, then gathered with others for a
 * moment and handed over. A batch is kept until it is booked, and handed over again when the ledger thread was
 * replaced meanwhile; what others have left in the journal is handed over like what this thread recorded.
 * Booking a record twice changes nothing.
 */
export class ThreadLedger implements Ledger {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onBooked: NonNullable<ThreadLedgerParts["onBooked"]>;
  /** In the order in which they were handed over. */
  readonly #handed = new Map<number, Batch>();
  #handedRecords = 0;
  /** Of those handed over, the ones that are in memory only. */
  readonly #unwritten = new Set<string>();
  readonly #flushes = new Set<Flush>();
  #door: LedgerDoor | undefined;
  readonly #together = new GroupCommit<string>((lines) => this.#keep(lines));
  /** The journal's last lines, unless it is read back. */
  #gathered: string[] = [];
  /** The ledger has not taken all there is: what comes is read back from the journal when its turn has come. */
  #isBehind: boolean;
  #isUnwritable = false;
  #nextBatch = 1;
  #bookedPlace = 0;
  #bound = UNBOOKED_MAX;
  #gatherTimer: ReturnType<typeof setTimeout> | undefined;
  #writeTimer: ReturnType<typeof setTimeout> | undefined;
  #readTimer: ReturnType<typeof setTimeout> | undefined;

  constructor({ journal, clock, log, onBooked }: ThreadLedgerParts) {
    this.#journal = journal;
    this.#onBooked = onBooked ?? (() => undefined);
    this.#clock = clock;
    this.#log = log;
    this.#isBehind = journal.unread > 0;
    if (this.#isBehind) log.warn("ledger.replaying", { records: journal.unread, bytes: journal.bytes });
  }

  /** The ledger thread is there, or is there again. */
  connect(door: LedgerDoor): void {
    this.#door = door;
    for (const [batch, { lines }] of this.#handed) door.record(batch, lines);
    this.#catchUp();
    if (this.#flushes.size > 0) door.hurry();
  }

  /** A batch is in the database, and so are all that were handed over before it. */
  booked(batch: number): void {
    for (const [earlier, booked] of this.#handed) {
      if (earlier > batch) break;
      this.#handed.delete(earlier);
      this.#letGo(booked);
    }
    this.#catchUp();
    // What may stand behind the last record is none: an unfinished one, or a trial of the disk.
    if (this.#isIdle) this.#bookedPlace = this.#journal.end;
    this.#journal.release(this.#bookedPlace);
    this.#watchBound();
    for (const { batch: last, place, settle } of this.#flushes) {
      if (last <= batch && place <= this.#bookedPlace) settle();
    }
  }

  #letGo({ lines, end }: Batch): void {
    this.#handedRecords -= lines.length;
    if (end !== undefined) {
      this.#bookedPlace = end;
      this.#onBooked(lines);
      return;
    }
    // A line that was put into the journal meanwhile is handed over a second time, and told of then.
    const untold = lines.filter((line) => this.#unwritten.delete(line));
    if (untold.length > 0) this.#onBooked(untold);
  }

  get #isIdle(): boolean {
    return this.#handed.size === 0 && this.#gathered.length === 0 && !this.#isBehind;
  }

  record(record: UsageRecord): void {
    this.#together.commit();
    this.#keep([usageLine(record)]);
  }

  recordTogether(record: UsageRecord): Promise<void> {
    return this.#together.add(usageLine(record));
  }

  #keep(lines: readonly string[]): void {
    if (this.#write(lines)) this.#gather(lines);
    else for (const line of lines) this.#handOverUnwritten(line);
    this.#watchBound();
  }

  canAccept(): boolean {
    return !(this.#isUnwritable || this.#journal.isFull);
  }

  checkRoom(): void {
    if (this.canAccept()) return;
    const internal = this.#isUnwritable ? "the usage journal cannot be written" : "the usage journal is full";
    throw new Fault("billing.journal_full", { retryAfterMs: REFUSED_MS, internal });
  }

  backlog(): Backlog {
    const { unread, unreadSinceMs, bytes } = this.#journal;
    const records = unread + this.#handedRecords;
    if (records === 0) return { records, bytes, oldestMs: 0 };
    const [oldest] = this.#handed.values();
    return { records, bytes, oldestMs: Math.max(0, this.#clock.now() - (oldest?.sinceMs ?? unreadSinceMs)) };
  }

  async flush(limitMs: number): Promise<void> {
    this.#together.commit();
    this.#handOver();
    this.#catchUp();
    const place = this.#journal.end;
    if (this.#isIdle) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new Error(`the ledger is behind by more than ${limitMs} ms`)),
      limitMs,
    );
    const flush = { batch: this.#nextBatch - 1, place, settle: resolve };
    this.#flushes.add(flush);
    this.#door?.hurry();
    await promise.finally(() => {
      clearTimeout(timer);
      this.#flushes.delete(flush);
    });
  }

  /** Ends this thread's part; what is not booked stays in the journal for whoever opens it next. */
  close(): void {
    this.#together.commit();
    for (const timer of [this.#gatherTimer, this.#writeTimer, this.#readTimer]) clearTimeout(timer);
    this.#journal.close();
  }

  #write(lines: readonly string[]): boolean {
    try {
      this.#journal.append(...lines);
      return true;
    } catch (thrown) {
      if (!this.#isUnwritable) this.#log.error("journal.write_failed", failureOf(thrown));
      this.#isUnwritable = true;
      this.#writeTimer ??= setTimeout(() => this.#writeAgain(), RETRY_MS);
      return false;
    }
  }

  /** Puts what is in memory only where it is safe, and finds out whether new requests can be taken on. */
  #writeAgain(): void {
    this.#writeTimer = undefined;
    for (const line of this.#unwritten) {
      if (!this.#write([line])) return;
      // It is with the ledger already. Handing it over a second time is what lets go of it in the journal.
      this.#unwritten.delete(line);
      this.#gather([line]);
    }
    try {
      this.#journal.probe();
    } catch {
      this.#writeTimer = setTimeout(() => this.#writeAgain(), RETRY_MS);
      return;
    }
    this.#isUnwritable = false;
    this.#log.warn("journal.writable_again");
  }

  #gather(lines: readonly string[]): void {
    if (this.#isBehind) return;
    this.#gathered.push(...lines);
    if (this.#gathered.length >= GATHER_MAX) this.#handOver();
    else this.#gatherTimer ??= setTimeout(() => this.#handOver(), GATHER_MS);
  }

  #handOver(): void {
    clearTimeout(this.#gatherTimer);
    this.#gatherTimer = undefined;
    const lines = this.#gathered;
    if (lines.length === 0) return;
    this.#gathered = [];
    this.#isBehind = this.#handedRecords >= HANDED_MAX;
    if (this.#isBehind) return;
    const { end, unreadSinceMs } = this.#journal;
    this.#journal.skip();
    this.#offer({ lines, end, sinceMs: unreadSinceMs });
  }

  #handOverUnwritten(line: string): void {
    this.#unwritten.add(line);
    this.#offer({ lines: [line], end: undefined, sinceMs: this.#clock.now() });
  }

  #offer(batch: Batch): void {
    const number = this.#nextBatch++;
    this.#handed.set(number, batch);
    this.#handedRecords += batch.lines.length;
    this.#door?.record(number, batch.lines);
  }

  /** Hands over from the journal as much as the ledger may have at once. */
  #catchUp(): void {
    try {
      while (this.#isBehind && this.#handedRecords < HANDED_MAX) {
        const read = this.#journal.next(GATHER_MAX);
        if (read === undefined) this.#isBehind = false;
        else this.#offer(read);
      }
    } catch (thrown) {
      this.#log.error("journal.read_failed", failureOf(thrown));
      this.#readTimer ??= setTimeout(() => {
        this.#readTimer = undefined;
        this.#catchUp();
      }, RETRY_MS);
    }
  }

  #watchBound(): void {
    const records = this.#journal.unread + this.#handedRecords;
    if (records <= UNBOOKED_MAX) this.#bound = UNBOOKED_MAX;
    if (records <= this.#bound) return;
    this.#log.error("ledger.too_many_unbooked", { records, bound: UNBOOKED_MAX });
    this.#bound = records + UNBOOKED_MAX;
  }
}

function failureOf(thrown: unknown) {
  const reason = thrown instanceof Error ? thrown.message.slice(0, REASON_LENGTH_MAX) : String(thrown);
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined;
  return { code, reason };
}
