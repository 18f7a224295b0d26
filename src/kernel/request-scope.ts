import type { Lease } from "./lease.ts";

/**
 * Owns everything one request has borrowed and gives it back exactly once.
 *
 * A streamed reply outlives the handler that made it, so `finally` in the handler is too early and a
 * release at every exit is too easy to forget. The scope closes when the pipeline throws, when the reply's
 * last byte has gone, or when the client leaves, whichever comes first.
 */
export class RequestScope {
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
  /**
   * Called when the client leaves while the scope is open, after everything was given back. Here because a
   * second listener on the signal would cost every request more than all else this class does.
   */
  onClientGone: (() => void) | undefined;
  readonly #leases: Lease[] = [];
  readonly #onAbort = (): void => {
    this.close();
    this.onClientGone?.();
  };
  #isOpen = true;

  /** @param clientSignal nobody else's: its one handler costs a third less than a listener. */
  constructor(clientSignal: AbortSignal) {
    this.signal = clientSignal;
    clientSignal.onabort = this.#onAbort;
  }

  /** Ties a lease to this request and hands it back for early release. */
  hold<T extends Lease>(lease: T): T {
    if (this.#isOpen) this.#leases.push(lease);
    else lease.release();
    return lease;
  }

  /** Releases in reverse order of borrowing. Safe to call any number of times. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.signal.onabort = null;
    for (let lease = this.#leases.pop(); lease !== undefined; lease = this.#leases.pop()) lease.release();
  }
}
