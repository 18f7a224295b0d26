import type { ApiKeyId } from "#domain/ids.ts";
import type { Clock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import { pause } from "#kernel/pause.ts";
import type {
  KeyStatisticsRepository,
  KeySummary,
  ModelTotals,
} from "#storage/repositories/key-statistics.ts";
import type { UsageTimes } from "./usage-query.ts";

/** Longest an answer waits for statistics, in milliseconds; below the time for which silent connections are kept. */
const READ_MS_MAX = 15_000;
/** Readings that are under way or wait for their turn at most, in this thread. */
const READINGS_MAX = 8;
/** The stretch that requests and tokens per minute are taken from. */
const RECENT_MS = 5 * 60_000;

/** What statistics are read with. */
export interface StatisticsParts {
  readonly repository: Pick<KeyStatisticsRepository, "summary" | "byModel">;
  /** Answers when the usage of everything that has ended is booked. */
  readonly flushLedger: () => Promise<void>;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/** What a key has used, in all and by model. */
export interface KeyStatistics {
  readonly summary: KeySummary;
  readonly models: readonly ModelTotals[];
}

/**
 * Reads the statistics of keys, one after the other: they add up many rows, and clients, who may ask as often as
 * they like, must leave a connection to the database free for what else this thread reads.
 */
export class StatisticsReader {
  readonly #parts: StatisticsParts;
  #readings = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(parts: StatisticsParts) {
    this.#parts = parts;
  }

  /** The statistics of a key; undefined when they cannot be had in time. Waits 15 s at most and does not throw. */
  async read(id: ApiKeyId, times: UsageTimes): Promise<KeyStatistics | undefined> {
    const { log } = this.#parts;
    if (this.#readings >= READINGS_MAX) {
      log.warn("key_usage.statistics_left_out", { reason: "too many are being read" });
      return undefined;
    }
    this.#readings++;
    const over = new AbortController();
    const reading = this.#last
      .then(() => (over.signal.aborted ? undefined : this.#readNow(id, times)))
      .catch((thrown: unknown) => {
        log.warn("key_usage.statistics_left_out", { reason: String(thrown) });
        return undefined;
      })
      .finally(() => {
        this.#readings--;
      });
    this.#last = reading;
    const late = pause(READ_MS_MAX, over.signal).then(() => undefined);
    return await Promise.race([reading, late]).finally(() => over.abort());
  }

  async #readNow(id: ApiKeyId, { todayMs, models }: UsageTimes): Promise<KeyStatistics> {
    const { repository, flushLedger, clock } = this.#parts;
    // A ledger that cannot book just now must not hide what it has booked before.
    await flushLedger().catch(() => undefined);
    const summary = await repository.summary(id, { todayMs, recentMs: clock.now() - RECENT_MS });
    return { summary, models: await repository.byModel(id, models) };
  }
}
