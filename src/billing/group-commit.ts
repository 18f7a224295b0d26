/** Those who are written together. */
interface Group<Item> {
  readonly items: Item[];
  readonly committed: Promise<void>;
  readonly onCommitted: () => void;
}

/**
 * Writes together what comes one behind the other in the same turn of the event loop. Requests whose answers came in
 * one turn go on side by side and end so: where there are many, a write to the disk serves a dozen of them.
 */
export class GroupCommit<Item> {
  readonly #write: (items: readonly Item[]) => void;
  #group: Group<Item> | undefined;

  /** @param write must not throw; called with what was added, in order, before the event loop waits again. */
  constructor(write: (items: readonly Item[]) => void) {
    this.#write = write;
  }

  /** Settles when the item has been written. */
  add(item: Item): Promise<void> {
    this.#group ??= this.#begin();
    this.#group.items.push(item);
    return this.#group.committed;
  }

  /** Writes at once what has been added and not written yet. */
  readonly commit = (): void => {
    const group = this.#group;
    if (group === undefined) return;
    this.#group = undefined;
    this.#write(group.items);
    group.onCommitted();
  };

  #begin(): Group<Item> {
    const { promise, resolve } = Promise.withResolvers<void>();
    queueMicrotask(this.commit);
    return { items: [], committed: promise, onCommitted: resolve };
  }
}
