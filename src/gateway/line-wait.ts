import type { StallWatch, Watch } from "#kernel/stall-watch.ts";

/**
 * Notices when a streaming request has had no answer for a whole ping interval, whatever it waits for: a slot,
 * an account, its turn, or the first token.
 *
 * A request that is answered sooner keeps its own status and costs one entry in a shared watch.
 */
export class LineWait {
  readonly #intervalMs: number;
  readonly #stallWatch: StallWatch;
  #watch: Watch | undefined;

  /** Called once, when a streaming request has waited for a whole interval. */
  onLong: () => void = () => undefined;

  constructor(intervalMs: number, stallWatch: StallWatch) {
    this.#intervalMs = intervalMs;
    this.#stallWatch = stallWatch;
  }

  /** Only a client that asked for a stream can be sent pings. */
  allowPings(isStream: boolean): void {
    if (!isStream || this.#watch !== undefined) return;
    this.#watch = this.#stallWatch.open(() => this.onLong());
    this.#watch.arm(this.#intervalMs);
  }

  /** The request has its answer. */
  end(): void {
    this.#watch?.close();
  }
}
