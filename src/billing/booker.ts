import type { Booked } from "#domain/booked.ts";
import type { Log } from "#kernel/log.ts";

/** Records that are booked in one transaction. */
const BATCH_MAX = 2_000;
/**
 * Least time from the beginning of one transaction to that of the next, in milliseconds, so that a busy gateway
 * books hundreds of records at once. Whatever decides by booked costs (the eligibility of users, the quotas of
 * accounts) is at most this and the time of two transactions behind.
 */
const LINGER_MS = 200;
/** Back-off between tries while the database does not take a batch, in milliseconds. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;
/** How much of a failure's reason is logged, and how many causes deep it is looked for. */
const REASON_LENGTH_MAX = 200;
const CAUSES_MAX = 5;

/** What a {@link Booker} works with. */
export interface BookerParts {
  /** `conflicts`: records whose id is on file with other contents; they are kept aside by whoever books. */
  readonly book: (lines: readonly string[]) => Promise<Booked & { readonly conflicts: number }>;
  /** Whether a failed booking failed for what is in it, so that trying it again is of no use. */
  readonly isRefusal: (thrown: unknown) => boolean;
  /** Puts a record that can never be booked where a person finds it. */
  readonly keepRefused: (line: string) => void;
  /** Told what a transaction has changed, in the order of transactions. */
  readonly onBooked: (booked: Booked) => void;
  readonly log: Log;
}

/** Told that a batch is booked, with what the transactions have changed that it was part of. */
export type OnBatchBooked = (changes: readonly Booked[]) => void;

interface Batch {
  readonly lines: readonly string[];
  readonly onBooked: OnBatchBooked;
}

/**
 * Books records in batches, one transaction at a time and in order. The first record after a quiet time is
 * booked at once; those that follow within {@link LINGER_MS} wait for company, unless somebody is in a hurry.
 * A batch the database does not take now is tried again until it does. One that it refuses for what is in it
 * is halved until the record at fault stands alone; that record is put aside, goes whole into the log, and the
 * others are booked.
 */
export class Booker {
  readonly #parts: BookerParts;
  readonly #queue: Batch[] = [];
  #queuedRecords = 0;
  #running: Promise<void> | undefined;
  #begunAt = Number.NEGATIVE_INFINITY;
  #isHurried = false;
  #endLinger: (() => void) | undefined;

  constructor(parts: BookerParts) {
    this.#parts = parts;
  }

  /** Takes a batch in; `onBooked` is called once it is in the database. */
  add(lines: readonly string[], onBooked: OnBatchBooked): void {
    this.#queue.push({ lines, onBooked });
    this.#queuedRecords += lines.length;
    if (this.#queuedRecords >= BATCH_MAX) this.#endLinger?.();
    this.#running ??= this.#run();
  }

  /** Everything taken in so far is booked without waiting for company. */
  hurry(): void {
    this.#isHurried = this.#queue.length > 0;
    this.#endLinger?.();
  }

  /** Settles when everything taken in so far is booked, without waiting for company. */
  async flush(): Promise<void> {
    this.hurry();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#linger();
      this.#begunAt = performance.now();
      const taken = this.#takeTogether();
      const changes = await this.#bookUntilTaken(taken.flatMap(({ lines }) => lines));
      for (const { onBooked } of taken) onBooked(changes);
    }
    this.#running = undefined;
  }

  async #linger(): Promise<void> {
    const waitMs = this.#begunAt + LINGER_MS - performance.now();
    if (waitMs <= 0 || this.#isHurried || this.#queuedRecords >= BATCH_MAX) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endLinger = resolve;
    const timer = setTimeout(resolve, waitMs);
    await promise;
    clearTimeout(timer);
    this.#endLinger = undefined;
  }

  #takeTogether(): readonly Batch[] {
    let count = 0;
    let records = 0;
    for (const { lines } of this.#queue) {
      if (count > 0 && records + lines.length > BATCH_MAX) break;
      records += lines.length;
      count++;
    }
    this.#queuedRecords -= records;
    if (count === this.#queue.length) this.#isHurried = false;
    return this.#queue.splice(0, count);
  }

  async #bookUntilTaken(lines: readonly string[]): Promise<readonly Booked[]> {
    const { book, isRefusal, onBooked, log } = this.#parts;
    for (let retryMs = RETRY_MS_MIN; ; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
      try {
        const booked = await book(lines);
        if (booked.conflicts > 0) log.error("ledger.conflicts_kept_aside", { records: booked.conflicts });
        if (!hasChanged(booked)) return [];
        onBooked(booked);
        return [booked];
      } catch (thrown) {
        if (isRefusal(thrown)) return await this.#bookHalves(lines);
        log.error("ledger.booking_failed", {
          records: lines.length,
          retry_ms: retryMs,
          ...reasonOf(thrown),
        });
        await Bun.sleep(retryMs);
      }
    }
  }

  async #bookHalves(lines: readonly string[]): Promise<readonly Booked[]> {
    const [line] = lines;
    if (lines.length === 1 && line !== undefined) return this.#refuse(line);
    const half = Math.ceil(lines.length / 2);
    const first = await this.#bookUntilTaken(lines.slice(0, half));
    return [...first, ...(await this.#bookUntilTaken(lines.slice(half)))];
  }

  #refuse(line: string): readonly Booked[] {
    const { keepRefused, log } = this.#parts;
    log.error("ledger.record_refused", { record: line });
    try {
      keepRefused(line);
    } catch (thrown) {
      log.error("ledger.refused_not_kept", reasonOf(thrown));
    }
    return [];
  }
}

/**
 * What the innermost cause of a failure says. The query builder wraps it in an error whose own message is the
 * statement and every record in it.
 */
function reasonOf(thrown: unknown): { readonly code: string | undefined; readonly reason: string } {
  let innermost = thrown;
  for (let depth = 0; depth < CAUSES_MAX; depth++) {
    if (!(innermost instanceof Error) || innermost.cause === undefined) break;
    innermost = innermost.cause;
  }
  const reason = innermost instanceof Error ? innermost.message : String(innermost);
  return { code: codeOf(innermost), reason: reason.slice(0, REASON_LENGTH_MAX) };
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined;
}

function hasChanged({ balances, quotas, windows, spends }: Booked): boolean {
  return balances.length + quotas.length + windows.length + spends.length > 0;
}
