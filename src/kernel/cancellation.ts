/** Whoever does the work that can be cancelled. */
export interface CancelListener {
  /** Called once, with the reason. */
  onCancel(reason: unknown): void;
}

/**
 * Says that nobody wants the result of some work any more, and why: an `AbortSignal` for one listener at a time. The
 * platform's own, with its events, costs several times what the rest of a request's bookkeeping does.
 */
export class Cancellation {
  /** Who is told. The work's steps take turns here. */
  listener: CancelListener | undefined;
  #isCancelled = false;
  #reason: unknown;

  get isCancelled(): boolean {
    return this.#isCancelled;
  }

  /** What {@link cancel} was called with. */
  get reason(): unknown {
    return this.#reason;
  }

  /** The first call counts. */
  cancel(reason: unknown): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.#reason = reason;
    this.listener?.onCancel(reason);
  }

  /** @throws the reason when cancelled. */
  throwIfCancelled(): void {
    if (this.#isCancelled) throw this.#reason;
  }
}

/** Waits for `work`, but no longer than until it is cancelled; leaves no listener behind. */
export async function untilCancelled<T>(work: Promise<T>, cancellation: Cancellation): Promise<T> {
  cancellation.throwIfCancelled();
  const cancelled = Promise.withResolvers<never>();
  cancellation.listener = { onCancel: cancelled.reject };
  try {
    return await Promise.race([work, cancelled.promise]);
  } finally {
    cancellation.listener = undefined;
  }
}
