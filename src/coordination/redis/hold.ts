import type { Hold, HoldGrowth, NodeHold, Purse } from "#coordination/holds.ts";

/** Who does what a hold is told to do. */
interface HoldKeeper {
  extend(hold: RedisHold, growth: HoldGrowth): Promise<boolean>;
  settle(hold: RedisHold, costNanos: number): void;
}

/** A hold of this thread that Redis knows of, or will. */
export class RedisHold implements Hold {
  readonly lease: string;
  readonly local: NodeHold;
  readonly #holds: HoldKeeper;
  #isSettled = false;

  constructor(holds: HoldKeeper, lease: string, local: NodeHold) {
    this.#holds = holds;
    this.lease = lease;
    this.local = local;
  }

  get requestId(): string {
    return this.local.requestId;
  }

  get purse(): Purse {
    return this.local.purse;
  }

  get amountNanos(): number {
    return this.local.amountNanos;
  }

  get expiresAtMs(): number {
    return this.local.expiresAtMs;
  }

  async extend(growth: HoldGrowth): Promise<boolean> {
    return !this.#isSettled && (await this.#holds.extend(this, growth));
  }

  settle(costNanos: number): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#holds.settle(this, costNanos);
  }
}
