import type { HoldTerms, Purse, PurseBooks } from "#coordination/holds.ts";
import type { NodeHolds } from "./node.ts";
import { purseName } from "./purse-words.ts";

/** Purses of which it is remembered what other nodes have; the one that was heard of longest ago is forgotten first. */
const OTHERS_MAX = 100_000;
/** Redis has granted it, so this node only notes it. */
export const GRANTED: HoldTerms = { othersNanos: Number.NEGATIVE_INFINITY, sharers: 1 };

/** What other nodes have of purses, by what Redis said last: all that a node can go by while it cannot ask. */
export class OtherNodesMoney {
  readonly #local: Pick<NodeHolds, "status">;
  readonly #nodes: () => number;
  readonly #others = new Map<string, number>();

  constructor(local: Pick<NodeHolds, "status">, nodes: () => number) {
    this.#local = local;
    this.#nodes = nodes;
  }

  /** What this node goes by while Redis cannot be asked; undefined when it does not know what others have. */
  termsFor(purse: Purse, amountNanos: number, { availableNanos }: PurseBooks): HoldTerms | undefined {
    if (amountNanos === 0 || !Number.isFinite(availableNanos)) return GRANTED;
    const othersNanos = this.#others.get(purseName(purse));
    return othersNanos === undefined ? undefined : { othersNanos, sharers: this.#nodes() };
  }

  /** Redis has said what all nodes together hold and have not booked, in nano-dollars. */
  note(purse: Purse, allNanos: number): void {
    const { heldNanos, unbookedNanos } = this.#local.status(purse);
    const name = purseName(purse);
    this.#others.delete(name);
    const [oldest] = this.#others.keys();
    if (oldest !== undefined && this.#others.size >= OTHERS_MAX) this.#others.delete(oldest);
    this.#others.set(name, Math.max(0, allNanos - heldNanos - unbookedNanos));
  }
}
