import { EventBoundary } from "#kernel/event-boundary.ts";
import type { Fault } from "#kernel/fault.ts";

/** How far into a stream the model is looked for, in bytes. */
const RENAME_BYTES_MAX = 65_536;

const BLANK_LINE = new TextEncoder().encode("\n\n");

/** What the client's side of a stream differs in from the upstream's. */
export interface ClientEventsOptions {
  /** The error event that ends a stream which cannot be completed. */
  readonly renderFault: (fault: Fault | undefined) => Uint8Array;
  /** Gives events in which the model is named as the client has named it; undefined: they do not name it. */
  readonly rename: ((events: Uint8Array) => Uint8Array | undefined) | undefined;
}

/** The bytes of a streamed answer as the client gets them: whole events, and an explicit end. */
export class ClientEvents {
  readonly #boundary = new EventBoundary();
  readonly #renderFault: ClientEventsOptions["renderFault"];
  #rename: ClientEventsOptions["rename"];
  #takenBytes = 0;

  constructor({ renderFault, rename }: ClientEventsOptions) {
    this.#renderFault = renderFault;
    this.#rename = rename;
  }

  /** Takes the upstream's next chunk and returns what may go to the client now. */
  take(chunk: Uint8Array): readonly Uint8Array[] {
    this.#takenBytes += chunk.length;
    return this.#renamed(this.#boundary.split(chunk));
  }

  /**
   * The rest of an answer that says itself how it ends. A last event that lacks only its blank line is given it,
   * because readers pass over it otherwise.
   */
  finish(): readonly Uint8Array[] {
    const rest = this.#boundary.flush();
    return this.#boundary.isAtBoundary ? rest : [...rest, BLANK_LINE];
  }

  /**
   * What ends an answer that cannot be completed. Half an event is worth nothing: one that is held back gives way
   * to the error event, one that was too long to be held back is ended first.
   *
   * @param fault undefined: the upstream just ended too early.
   */
  fail(fault: Fault | undefined): readonly Uint8Array[] {
    const event = this.#renderFault(fault);
    return this.#boundary.isAtBoundary ? [event] : [BLANK_LINE, event];
  }

  /** The model is named once, in the first events; from then on everything passes as it is. */
  #renamed(passed: readonly Uint8Array[]): readonly Uint8Array[] {
    if (this.#rename === undefined || passed.length === 0) return passed;
    const events = this.#rename(Buffer.concat(passed));
    if (events !== undefined || this.#takenBytes > RENAME_BYTES_MAX) this.#rename = undefined;
    return events === undefined ? passed : [events];
  }
}
