import type { UserId } from "#domain/ids.ts";
import type { Log } from "#kernel/log.ts";

/** Records that are booked in one transaction. */
const BATCH_MAX = 2_000;
/** Back-off between tries while the database does not take a batch, in milliseconds. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;

interface Booking {
  readonly balances: readonly { readonly userId: UserId; readonly balanceNanos: bigint }[];
}

interface BookerParts {
  readonly book: (lines: readonly string[]) => Promise<Booking>;
  /** Whether a failed booking failed for what is in it, so that trying it again is of no use. */
  readonly isRefusal: (thrown: unknown) => boolean;
  readonly onBalances: (balances: Booking["balances"]) => void;
  readonly log: Log;
}

interface Batch {
  readonly lines: readonly string[];
  readonly onBooked: () => void;
}

/**
 * Books records in batches, one transaction at a time and in order. A batch the database does not take now is
 * tried again until it does. One that it refuses for what is in it is halved until the record at fault stands
 * alone; that record goes whole into the log, and the others are booked.
 */
export class Booker {
  readonly #parts: BookerParts;
  readonly #queue: Batch[] = [];
  #running: Promise<void> | undefined;

  constructor(parts: BookerParts) {
    this.#parts = parts;
  }

  /** Takes a batch in; `onBooked` is called once it is in the database. */
  add(lines: readonly string[], onBooked: () => void): void {
    this.#queue.push({ lines, onBooked });
    this.#running ??= this.#run();
  }

  /** Settles when everything taken in so far is booked. */
  async flush(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const taken = this.#takeTogether();
      await this.#bookUntilTaken(taken.flatMap(({ lines }) => lines));
      for (const { onBooked } of taken) onBooked();
    }
    this.#running = undefined;
  }

  #takeTogether(): readonly Batch[] {
    let count = 0;
    let records = 0;
    for (const { lines } of this.#queue) {
      records += lines.length;
      if (count > 0 && records > BATCH_MAX) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #bookUntilTaken(lines: readonly string[]): Promise<void> {
    const { book, isRefusal, onBalances, log } = this.#parts;
    for (let retryMs = RETRY_MS_MIN; ; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
      try {
        const { balances } = await book(lines);
        if (balances.length > 0) onBalances(balances);
        return;
      } catch (thrown) {
        if (isRefusal(thrown)) return await this.#bookHalves(lines);
        const reason = thrown instanceof Error ? thrown.message.slice(0, 200) : String(thrown);
        log.error("ledger.booking_failed", { records: lines.length, retry_ms: retryMs, reason });
        await Bun.sleep(retryMs);
      }
    }
  }

  async #bookHalves(lines: readonly string[]): Promise<void> {
    const half = Math.ceil(lines.length / 2);
    if (lines.length === 1) {
      this.#parts.log.error("ledger.record_refused", { record: lines[0] });
      return;
    }
    await this.#bookUntilTaken(lines.slice(0, half));
    await this.#bookUntilTaken(lines.slice(half));
  }
}
