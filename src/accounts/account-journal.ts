import type { AccountEvent } from "#domain/account-event.ts";
import type { Log } from "#kernel/log.ts";

/** Events that wait to be written at most; the oldest gives way, and the log says so. */
const WAITING_MAX = 1_000;
/** Pause before an event that could not be written is tried again, in milliseconds, and how often it is. */
const RETRY_MS = 1_000;
const TRIES_MAX = 10;

interface JournalParts {
  readonly append: (event: AccountEvent) => Promise<void>;
  /** Tells every thread that an account was changed. */
  readonly announce: (accountId: number) => Promise<void>;
  readonly log: Log;
}

/**
 * Writes down what happens to accounts, one event after the other, so that it is kept, shown, and known to a
 * process that starts later. Requests do not wait for it: what an event means for them is in the coordinator
 * already.
 */
export class AccountJournal {
  readonly #parts: JournalParts;
  readonly #waiting: AccountEvent[] = [];
  #isRunning = false;

  constructor(parts: JournalParts) {
    this.#parts = parts;
  }

  note(event: AccountEvent): void {
    const { log } = this.#parts;
    const { accountId, kind, reason, status } = event;
    log.warn("account.event", { account_id: accountId, kind, reason, status, request_id: event.requestId });
    if (this.#waiting.length >= WAITING_MAX) {
      this.#waiting.shift();
      log.error("account.events_dropped", { waiting_max: WAITING_MAX });
    }
    this.#waiting.push(event);
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      await this.#write(event);
    }
    this.#isRunning = false;
  }

  async #write(event: AccountEvent): Promise<void> {
    const { append, announce, log } = this.#parts;
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      try {
        await append(event);
        // Only these change what other threads read of the account.
        if (event.kind === "failed" || event.kind === "recovered") await announce(event.accountId);
        return;
      } catch (thrown) {
        const reason = thrown instanceof Error ? thrown.message : String(thrown);
        log.error("account.event_unwritten", {
          account_id: event.accountId,
          kind: event.kind,
          tries,
          reason,
        });
        await Bun.sleep(RETRY_MS);
      }
    }
  }
}
