/** Lets one waiter sleep until it is woken. Waking nobody does nothing and is not remembered. */
export class Wakeup {
  #wake: (() => void) | undefined;

  /** Settles at the next {@link wake}. The waiter looks again at what it waits for; a second waiter is none. */
  wait(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return promise;
  }

  wake(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
