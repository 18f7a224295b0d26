import type { UserId } from "#domain/ids.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import type { Log } from "#kernel/log.ts";

/** Records that are booked in one transaction. */
const BATCH_MAX = 1_000;
/** Back-off between tries while the database does not take a batch, in milliseconds. */
const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;

interface Booking {
  readonly balances: readonly { readonly userId: UserId; readonly balanceNanos: bigint }[];
}

interface BookerParts {
  readonly book: (records: readonly UsageRecord[]) => Promise<Booking>;
  readonly onBalances: (balances: Booking["balances"]) => void;
  readonly log: Log;
}

/**
 * Books records in batches, one batch at a time and in order. A batch the database does not take is tried
 * again until it does; booking the same record twice changes nothing.
 */
export class Booker {
  readonly #parts: BookerParts;
  #queue: UsageRecord[] = [];
  #running: Promise<void> | undefined;

  constructor(parts: BookerParts) {
    this.#parts = parts;
  }

  /** Records that are not booked yet. */
  get backlog(): number {
    return this.#queue.length;
  }

  add(records: readonly UsageRecord[]): void {
    this.#queue.push(...records);
    this.#running ??= this.#run();
  }

  /** Settles when everything added so far is booked. */
  async flush(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      const batch = this.#queue.slice(0, BATCH_MAX);
      await this.#bookUntilTaken(batch);
      this.#queue = this.#queue.slice(batch.length);
    }
    this.#running = undefined;
  }

  async #bookUntilTaken(batch: readonly UsageRecord[]): Promise<void> {
    const { book, onBalances, log } = this.#parts;
    for (let retryMs = RETRY_MS_MIN; ; retryMs = Math.min(retryMs * 2, RETRY_MS_MAX)) {
      try {
        const { balances } = await book(batch);
        if (balances.length > 0) onBalances(balances);
        return;
      } catch (thrown) {
        const reason = thrown instanceof Error ? thrown.message.slice(0, 200) : String(thrown);
        log.error("ledger.booking_failed", {
          records: batch.length,
          backlog: this.backlog,
          retry_ms: retryMs,
          reason,
        });
        await Bun.sleep(retryMs);
      }
    }
  }
}
