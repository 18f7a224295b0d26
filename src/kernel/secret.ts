const MASK = "[secret]";

/**
 * A value that cannot be logged by accident.
 *
 * Every way of turning it into text or JSON gives a mask; only {@link Secret.reveal} gives the value,
 * so each place that uses a credential can be found by searching for that word.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it only where the credential leaves for the upstream or is hashed. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return MASK;
  }
}
