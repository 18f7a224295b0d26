import type { Hold, HoldRequest } from "#coordination/holds.ts";

/** One hold that was asked for together with something else, before the request itself asks for it. */
export interface EarlyAsk {
  readonly lease: string;
  readonly request: HoldRequest;
}

/** Money that was set aside on the way to something else, until the request that it is for asks for it. */
export class EarlyHolds {
  readonly #holds = new Map<string, Hold>();

  keep(hold: Hold): void {
    this.#holds.set(nameOf(hold), hold);
  }

  /** The hold that is asked for, if it was set aside already, and as much. */
  take(request: HoldRequest): Hold | undefined {
    const name = nameOf(request);
    const hold = this.#holds.get(name);
    if (hold === undefined) return undefined;
    this.#holds.delete(name);
    if (hold.amountNanos === request.amountNanos) return hold;
    void hold.settle(0);
    return undefined;
  }

  /** Gives back what nobody has asked for. */
  giveBack({ request }: EarlyAsk): void {
    const name = nameOf(request);
    const hold = this.#holds.get(name);
    this.#holds.delete(name);
    void hold?.settle(0);
  }
}

function nameOf({ requestId, purse }: Pick<HoldRequest, "requestId" | "purse">): string {
  return `${requestId} ${purse.kind} ${purse.id}`;
}
