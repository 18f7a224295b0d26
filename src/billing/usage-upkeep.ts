import type { Log } from "#kernel/log.ts";
import { pause } from "#kernel/pause.ts";
import type { UsageMonths } from "#storage/repositories/usage-months.ts";

/** From one look at the months to the next, in milliseconds: a month is made weeks before it begins. */
const PAUSE_MS = 3_600_000;
/** The same after a look that failed, found a month in use or left work over. */
const SOON_MS = 60_000;
/** Steps of dropping that one look takes at most. Bookings come between any two of them. */
const STEPS_MAX = 100;

/** What {@link UsageUpkeep} works with. */
export interface UsageUpkeepParts {
  readonly months: Pick<UsageMonths, "makeAhead" | "dropOne">;
  /** How many months of usage are to be kept besides the present one; 0: all. */
  readonly monthsKept: () => Promise<number>;
  readonly log: Log;
}

/**
 * Makes the months that usage is booked into ahead of their time, and drops those that are not to be kept any
 * longer. Any number of nodes may do so at once. Nothing depends on it in time: a booking makes a month that it
 * misses, and what is dropped late was kept longer.
 */
export class UsageUpkeep {
  readonly #parts: UsageUpkeepParts;
  readonly #over = new AbortController();
  readonly #running: Promise<void>;

  constructor(parts: UsageUpkeepParts) {
    this.#parts = parts;
    this.#running = this.#run();
  }

  /** Settles when nothing is under way any more. */
  async close(): Promise<void> {
    this.#over.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#over.signal.aborted) {
      const isDone = await this.#look().catch((thrown: unknown) => {
        this.#parts.log.warn("usage.upkeep_failed", { reason: String(thrown) });
        return false;
      });
      await pause(isDone ? PAUSE_MS : SOON_MS, this.#over.signal);
    }
  }

  /** Whether all is as it should be. */
  async #look(): Promise<boolean> {
    const { months, monthsKept, log } = this.#parts;
    await months.makeAhead();
    const kept = await monthsKept();
    if (kept === 0) return true;
    for (let steps = 0; steps < STEPS_MAX && !this.#over.signal.aborted; steps++) {
      const step = await months.dropOne(kept);
      if (step.kind === "done") return true;
      if (step.kind === "in_use") return false;
      if (step.kind === "dropped") log.info("usage.month_dropped", { month: step.month });
    }
    return false;
  }
}
