import type { AccountVitals, VitalsBoard } from "#coordination/account-vitals.ts";
import type {
  HoldAnswer,
  HoldRequest,
  Holds,
  HoldTerms,
  NodeHold,
  Purse,
  PurseCost,
  PurseStatus,
} from "#coordination/holds.ts";
import type { Holder, Slots } from "#coordination/slots.ts";
import type { AccountFigures, VitalsNews } from "#coordination/vitals-news.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Lease } from "#kernel/lease.ts";

/** Slots of one node, which also take down what somebody else has granted. */
export interface NodeSlots extends Slots {
  /** Counts a lease that was granted elsewhere, whatever the limit; undefined when there is no room to note it. */
  note(holder: Holder): Lease | undefined;
}

/** Figures of accounts as one node knows them, which also take in what other nodes know. */
export interface NodeVitals extends VitalsBoard {
  of(account: AccountId): AccountVitals;
  /** Told of every change that this thread makes and that other nodes should know. */
  onNews: ((news: VitalsNews) => void) | undefined;
  /** Told when this thread gives back the right to probe an account. */
  onProbeEnd: ((account: AccountId) => void) | undefined;
  /** Takes over what has changed at another node. The same news twice change nothing. */
  apply(news: VitalsNews): void;
  /** How many requests all nodes have sent in this minute. */
  noteRequests(account: AccountId, requests: number, nowMs: number): void;
  /** How many wait for an account at all nodes together, as Redis has just said. */
  noteWaiting(account: AccountId, waiting: number): void;
  /** How all nodes together use an account. */
  noteFigures(figures: AccountFigures, nowMs: number): void;
}

/** Holds of one node, which also take down what somebody else has granted. */
export interface NodeHolds extends Holds {
  take(
    request: HoldRequest,
    terms?: HoldTerms,
  ): Exclude<HoldAnswer, { granted: true }> | { readonly granted: true; readonly hold: NodeHold };
  booked(...told: Parameters<Holds["booked"]>): void;
  recount(costs: Iterable<PurseCost>): void;
  status(purse: Purse): PurseStatus;
  /** What this thread answers for, of a purse, in nano-dollars. */
  shareOf(purse: Purse): number;
  /** All that this thread answers for. */
  costs(): readonly PurseCost[];
}
