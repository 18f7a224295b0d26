import type { Coordination } from "#coordination/coordination.ts";
import type { SlotAnswer } from "#coordination/slots.ts";
import type { Group } from "#domain/group.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Awaitable } from "#kernel/awaitable.ts";
import type { Clock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import type { Lease } from "#kernel/lease.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";
import type { AccountSpend } from "./account-spend.ts";
import { type Candidate, Pool } from "./candidate.ts";
import type { Choice } from "./choice.ts";
import { Chooser } from "./chooser.ts";
import type { Plan, PlanOrRefusal, WaitPlan } from "./claims.ts";

/** How often a request that has waited may find the account changed and choose again. */
const ROUNDS_MAX = 4;
/** Groups whose prepared accounts are kept; the one that was prepared first is forgotten first. */
const POOLS_MAX = 10_000;
/** What a client is told to wait when every line is full, in milliseconds. */
const BUSY_RETRY_MS = 1_000;

/** An account that was chosen for this request before. */
export interface Pin {
  readonly account: AccountId;
  /** It is used only if it may still serve the request, and another one if not; else only this one will do. */
  readonly isChecked: boolean;
}

/** What a choice is made for. */
export interface Selection {
  readonly group: Group;
  readonly model: string;
  readonly sessionKey: string;
  /** Whether it makes a message, and so counts towards the limits of requests and conversations. */
  readonly isMessage: boolean;
  /** Accounts that have failed this request already. */
  readonly exclude: ReadonlySet<AccountId>;
  /** The account that is to be asked again. */
  readonly pin: Pin | undefined;
  readonly signal: AbortSignal;
  /** Told of each choice as it is made. */
  readonly onChoice: (choice: Choice) => void;
}

/** An account that was chosen, with one of its slots taken. */
export interface SelectedAccount extends Pick<Candidate, "account" | "vitals"> {
  readonly lease: Lease;
  /** No other account of the group could serve this model, now or later. */
  readonly isOnly: boolean;
  /** This request alone may find out whether the account has recovered. */
  readonly isProbe: boolean;
  /** It has stood in the account's line. */
  readonly hasWaited: boolean;
}

/** Whom a selector asks. */
export interface SelectorParts {
  readonly snapshot: Pick<Snapshot, "accountsOf" | "accountsVersion" | "settings">;
  readonly coordination: Pick<Coordination, "slots" | "sessions" | "vitals" | "claims">;
  readonly spend: AccountSpend;
  readonly clock: Clock;
  /** Longest wait for an account's slot where the conversation is not bound to it, in milliseconds. */
  readonly waitMsMax: number;
  /** How many requests may wait for one account's slot. */
  readonly waitersMax: number;
}

/**
 * Chooses accounts and takes their slots, in one step: an account that is chosen is an account whose slot is
 * taken, or whose line the request has joined.
 */
export class AccountSelector {
  readonly #parts: SelectorParts;
  readonly #chooser: Chooser;
  readonly #pools = new Map<number, Pool>();
  #poolsVersion = -1;

  constructor(parts: SelectorParts) {
    this.#parts = parts;
    this.#chooser = new Chooser(parts);
  }

  /**
   * Gives the account that is to serve a request: the one its conversation is bound to, else the best one with
   * a free slot, else the first one in whose line it gets a slot. Answers at once when nothing has to be waited
   * for.
   *
   * @throws Fault `select.*` when no account may serve it, `admit.queue_full`, `admit.wait_timeout`,
   * `admit.client_gone`. Where it answers at once, it throws at once.
   */
  select(selection: Selection): Awaitable<SelectedAccount> {
    const plan = this.#plan(selection);
    return plan instanceof Promise ? this.#followLater(plan, selection) : this.#follow(plan, selection);
  }

  #follow(plan: Plan, selection: Selection): Awaitable<SelectedAccount> {
    return plan.kind === "taken" ? plan.selected : this.#wait(plan, selection);
  }

  async #followLater(plan: Promise<Plan>, selection: Selection): Promise<SelectedAccount> {
    return this.#follow(await plan, selection);
  }

  #plan(selection: Selection): Awaitable<Plan> {
    const chosen = this.#chooser.choose(this.#poolOf(selection.group), selection);
    return chosen instanceof Promise ? planLater(chosen, selection) : planOf(chosen, selection);
  }

  async #wait(first: WaitPlan, selection: Selection): Promise<SelectedAccount> {
    let plan: WaitPlan = first;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const answer = await this.#standInLine(plan, selection);
      if (answer.granted) {
        // Whatever was looked at before the wait may have changed during it.
        const pool = this.#poolOf(selection.group);
        const selected = await this.#chooser.confirm(pool, selection, plan, answer.lease);
        if (selected !== undefined) return selected;
        answer.lease.release();
      } else if (answer.refusal !== "queue-full") throw refusal(answer);
      // The line has filled up since it was looked at, or the account may not serve the request any more.
      const next = await this.#plan(selection);
      if (next.kind === "taken") return next.selected;
      plan = next;
    }
    throw refusal({ granted: false, refusal: "queue-full", waiting: plan.candidate.vitals.waiting });
  }

  #standInLine(plan: WaitPlan, { signal }: Selection): SlotAnswer | Promise<SlotAnswer> {
    const { candidate, waitersMax, waitMsMax } = plan;
    return this.#parts.coordination.slots.acquire({
      holder: candidate.holder,
      limit: candidate.account.concurrency,
      waitersMax,
      waitMsMax,
      signal,
    });
  }

  #poolOf(group: Group): Pool {
    const { snapshot, coordination } = this.#parts;
    if (this.#poolsVersion !== snapshot.accountsVersion) {
      this.#pools.clear();
      this.#poolsVersion = snapshot.accountsVersion;
    }
    const known = this.#pools.get(group.id);
    if (known !== undefined && known.group === group) return known;
    const [oldest] = this.#pools.keys();
    if (oldest !== undefined && this.#pools.size >= POOLS_MAX) this.#pools.delete(oldest);
    const pool = new Pool(group, snapshot.accountsOf(group.id), coordination.vitals);
    this.#pools.set(group.id, pool);
    return pool;
  }

  /** How long until one of the accounts that were looked at can be asked again, in milliseconds. */
  soonestRetryMs(choice: Choice, model: string): number | undefined {
    return this.#chooser.soonestRetryMs(choice, model);
  }
}

function planOf(chosen: PlanOrRefusal, { onChoice }: Selection): Plan {
  onChoice(chosen.choice);
  if (chosen.kind === "refused") throw chosen.fault;
  return chosen;
}

async function planLater(chosen: Promise<PlanOrRefusal>, selection: Selection): Promise<Plan> {
  return planOf(await chosen, selection);
}

function refusal({ refusal, waiting }: SlotAnswer & { granted: false }): Fault {
  if (refusal === "gone") return new Fault("admit.client_gone");
  return new Fault(refusal === "timeout" ? "admit.wait_timeout" : "admit.queue_full", {
    publicMessage: `All accounts of this group are busy and ${waiting} requests are waiting, please retry later`,
    retryAfterMs: BUSY_RETRY_MS,
  });
}
