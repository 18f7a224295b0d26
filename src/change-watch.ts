import type { Log } from "#kernel/log.ts";
import type { ChangeRepository } from "#storage/repositories/changes.ts";
import type { ChangeNotice } from "#threads/messages.ts";

/** How often it is looked for changes that this node was not told of, in milliseconds. */
const POLL_MS = 2_000;
/**
 * How many numbers back it is looked again: a number is drawn before its change can be seen, so a lower one can appear
 * after a higher one.
 */
const OVERLAP = 256;
const REASON_LENGTH_MAX = 200;

/** What watching for changes works with. */
export interface ChangeWatchParts {
  readonly changes: Pick<ChangeRepository, "append" | "latest" | "after" | "forget">;
  /** Has every thread of this node read a row again. */
  readonly apply: (change: ChangeNotice) => Promise<void>;
  readonly log: Log;
}

/**
 * Finds out what other nodes have changed, however they fail to say so: every change is on record in the database, and
 * this node looks there every two seconds.
 */
export class ChangeWatch {
  readonly #parts: ChangeWatchParts;
  readonly #seen = new Set<number>();
  #first = 0;
  #last = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = true;

  constructor(parts: ChangeWatchParts) {
    this.#parts = parts;
  }

  /** Begins to watch. To be called before the rows themselves are read for the first time. */
  async start(): Promise<void> {
    const { changes } = this.#parts;
    await changes.forget();
    this.#first = await changes.latest();
    this.#last = this.#first;
    this.#plan();
  }

  stop(): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
  }

  /** Puts a change of this node on record. One that could not be is told to those who listen all the same. */
  async record({ kind, id }: ChangeNotice): Promise<void> {
    try {
      this.#note(await this.#parts.changes.append(kind, id));
    } catch (thrown) {
      this.#report("changes.unrecorded", thrown);
    }
  }

  #plan(): void {
    if (this.#isOpen) this.#timer = setTimeout(() => void this.#poll().then(() => this.#plan()), POLL_MS);
  }

  async #poll(): Promise<void> {
    try {
      for (const { id, kind, rowId } of await this.#parts.changes.after(this.#from)) {
        if (this.#seen.has(id)) continue;
        await this.#parts.apply({ kind: kind as ChangeNotice["kind"], id: rowId });
        this.#note(id);
      }
    } catch (thrown) {
      this.#report("changes.unread", thrown);
    }
  }

  get #from(): number {
    return Math.max(this.#first, this.#last - OVERLAP);
  }

  #note(id: number): void {
    this.#seen.add(id);
    this.#last = Math.max(this.#last, id);
    for (const old of this.#seen) {
      if (old > this.#from) break;
      this.#seen.delete(old);
    }
  }

  #report(event: string, thrown: unknown): void {
    const reason = thrown instanceof Error ? thrown.message.slice(0, REASON_LENGTH_MAX) : String(thrown);
    this.#parts.log.warn(event, { reason });
  }
}
