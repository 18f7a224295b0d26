import type { UsageRecord } from "#domain/usage-record.ts";
import type { Ledger } from "./ledger.ts";

/** Records wait this long for company before they are handed over, in milliseconds. */
const GATHER_MS = 5;
/** Records that are handed over at once. */
const GATHER_MAX = 128;

interface LedgerDoor {
  record(records: readonly UsageRecord[]): void;
  flush(): Promise<void>;
}

/** One thread's way to the ledger: gathers records for a moment and hands them over together. */
export class ThreadLedger implements Ledger {
  readonly #door: LedgerDoor;
  #gathered: UsageRecord[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(door: LedgerDoor) {
    this.#door = door;
  }

  record(record: UsageRecord): void {
    this.#gathered.push(record);
    if (this.#gathered.length >= GATHER_MAX) this.#handOver();
    else this.#timer ??= setTimeout(() => this.#handOver(), GATHER_MS);
  }

  async flush(): Promise<void> {
    this.#handOver();
    await this.#door.flush();
  }

  #handOver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#gathered.length === 0) return;
    const records = this.#gathered;
    this.#gathered = [];
    this.#door.record(records);
  }
}
