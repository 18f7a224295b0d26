import type { Coordination } from "#coordination/coordination.ts";
import type { Holder } from "#coordination/slots.ts";
import type { Account } from "#domain/account.ts";
import type { Group } from "#domain/group.ts";
import type { AccountId } from "#domain/ids.ts";
import { mappedModel } from "#domain/model-mapping.ts";
import type { Clock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import type { Lease } from "#kernel/lease.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";

/** An account that was chosen, with one of its slots taken. */
export interface SelectedAccount {
  readonly account: Account;
  readonly lease: Lease;
}

/** What a choice is made for. */
export interface Selection {
  readonly group: Group;
  readonly model: string;
  /** Accounts that have failed this request already. */
  readonly exclude: ReadonlySet<AccountId>;
  readonly signal: AbortSignal;
  /** Told when the request has to stand in line for an account. */
  readonly onWait: () => void;
}

interface SelectorParts {
  readonly snapshot: Snapshot;
  readonly coordination: Pick<Coordination, "slots">;
  readonly clock: Clock;
  /** Longest wait for an account's slot, in milliseconds. */
  readonly waitMsMax: number;
  /** How many requests may wait for one account's slot. */
  readonly waitersMax: number;
}

/** Chooses accounts and takes their slots. */
export class AccountSelector {
  readonly #snapshot: Snapshot;
  readonly #coordination: Pick<Coordination, "slots">;
  readonly #clock: Clock;
  readonly #waitMsMax: number;
  readonly #waitersMax: number;

  constructor({ snapshot, coordination, clock, waitMsMax, waitersMax }: SelectorParts) {
    this.#snapshot = snapshot;
    this.#coordination = coordination;
    this.#clock = clock;
    this.#waitMsMax = waitMsMax;
    this.#waitersMax = waitersMax;
  }

  /**
   * Takes a slot of the least loaded account among those of the best priority that has one free, else
   * stands in line for the best one.
   *
   * @throws Fault `select.no_account`, `admit.queue_full`, `admit.wait_timeout`, `admit.client_gone`.
   */
  async select(selection: Selection): Promise<SelectedAccount> {
    const candidates = this.#ranked(selection);
    for (const account of candidates) {
      const lease = this.#coordination.slots.tryAcquire(holderOf(account), account.concurrency);
      if (lease !== undefined) return { account, lease };
    }
    const first = candidates[0];
    if (first === undefined) throw new Fault("select.no_account");
    return { account: first, lease: await this.#waitFor(first, selection) };
  }

  #ranked({ group, exclude, model }: Selection): readonly Account[] {
    const nowMs = this.#clock.now();
    const usable = this.#snapshot
      .accountsOf(group.id)
      .filter((account) => isUsable(account, group, nowMs) && !exclude.has(account.id))
      .filter(({ modelMapping }) => mappedModel(modelMapping, model) !== undefined);
    if (usable.length < 2) return usable;
    return usable
      .map((account) => ({ account, load: this.#loadOf(account) }))
      .sort((a, b) => a.account.priority - b.account.priority || a.load - b.load)
      .map(({ account }) => account);
  }

  #loadOf(account: Account): number {
    const { inFlight, waiting } = this.#coordination.slots.status(holderOf(account));
    return (inFlight + waiting) / Math.max(1, account.concurrency);
  }

  async #waitFor(account: Account, { signal, onWait }: Selection): Promise<Lease> {
    const answer = await this.#coordination.slots.acquire({
      holder: holderOf(account),
      limit: account.concurrency,
      waitersMax: this.#waitersMax,
      waitMsMax: this.#waitMsMax,
      signal,
      onWait,
    });
    if (answer.granted) return answer.lease;
    if (answer.refusal === "gone") throw new Fault("admit.client_gone");
    const code = answer.refusal === "timeout" ? "admit.wait_timeout" : "admit.queue_full";
    throw new Fault(code, {
      publicMessage: `All accounts of this group are busy and ${answer.waiting} requests are waiting, please retry later`,
      retryAfterMs: 1_000,
    });
  }
}

/** Whose slots an account's requests take. */
function holderOf(account: Account): Holder {
  return { kind: "account", id: account.id };
}

function isUsable(account: Account, group: Group, nowMs: number): boolean {
  const isExpired = account.expiresAtMs !== undefined && account.expiresAtMs <= nowMs;
  return (
    account.status === "active" && account.schedulable && !isExpired && account.platform === group.platform
  );
}
