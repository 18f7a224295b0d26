/**
 * Notices when one request stands in line for long.
 *
 * Requests that do not wait, or not for a whole interval, cost nothing and keep their own status.
 */
export class LineWait {
  readonly #intervalMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStream = false;

  /** Called once, when a streaming request has waited for a whole interval. */
  onLong: () => void = () => undefined;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  /** Only a client that asked for a stream can be sent pings. */
  allowPings(isStream: boolean): void {
    this.#isStream = isStream;
  }

  /** The request has to stand in line from now on. */
  begin(): void {
    if (this.#isStream) this.#timer ??= setTimeout(() => this.onLong(), this.#intervalMs);
  }

  /** The wait is over, or the request is. */
  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
