import type { Lease } from "#kernel/lease.ts";
import type { HoldRequest, HoldsAnswer } from "./holds.ts";
import type { Session } from "./session-bindings.ts";

/** Whose requests are counted together. A `turn` lets one message of a person at a time through an account. */
export interface Holder {
  readonly kind: "user" | "account" | "turn";
  readonly id: number;
}

/**
 * Why a slot was refused. A refusal is an answer, not an error: `queue-full` the line was too long to join,
 * `timeout` no slot came free in time, `gone` the caller's signal aborted, `capacity` the table of leases
 * itself is full.
 */
export type Refusal = "queue-full" | "timeout" | "gone" | "capacity";

/** What an ask for a slot comes to. `waiting` is the length of the line at that moment. */
export type SlotAnswer =
  | {
      readonly granted: true;
      readonly lease: Lease;
      readonly waitedMs: number;
      /** What came of {@link SlotRequest.money}, which is the caller's now; undefined: it was not asked for. */
      readonly money?: HoldsAnswer | undefined;
    }
  | { readonly granted: false; readonly refusal: Refusal; readonly waiting: number };

/** One ask for a slot, with every limit stated by the caller. */
export interface SlotRequest {
  readonly holder: Holder;
  /** Slots at once; 0 means unlimited. */
  readonly limit: number;
  /** How many may already be waiting for the request to join them. */
  readonly waitersMax: number;
  readonly waitMsMax: number;
  readonly signal: AbortSignal;
  /** Told once, when the request really has to wait. */
  readonly onWait?: () => void;
  /**
   * The conversation that the request belongs to. A backend that is far away looks its binding up in the same step,
   * so that the question that follows costs nothing.
   */
  readonly conversation?: Session;
  /**
   * What the request will set aside once it has its slot. A backend that is far away does so in the same step, if the
   * slot is free, so that no question has to follow. Asked at most once; none: nothing is to be set aside.
   */
  readonly money?: () => readonly HoldRequest[];
}

/** How busy a holder is now. */
export interface SlotStatus {
  readonly inFlight: number;
  readonly waiting: number;
  /** 0 means unlimited. */
  readonly limit: number;
  /** How long the first in line has waited, in milliseconds; 0 when nobody waits. */
  readonly oldestWaitMs: number;
}

/**
 * Caps how many requests run at once for one holder.
 *
 * Every backend keeps the same promises, and the contract suite holds them to it: never more granted than
 * the limit allows at grant time; served in the order of arrival among those that stay; a release wakes the
 * next in line wherever it waits; never more waiting than `waitersMax`; a dead holder's leases come back.
 */
export interface Slots {
  /** Takes a slot, waiting in line when none is free. Answers at once when it can. */
  acquire(request: SlotRequest): SlotAnswer | Promise<SlotAnswer>;
  /** Takes a slot only if one is free now and nobody waits. */
  tryAcquire(holder: Holder, limit: number): Lease | undefined | Promise<Lease | undefined>;
  /** Changes a holder's limit; a raise wakes those it lets through. */
  setLimit(holder: Holder, limit: number): void;
  status(holder: Holder): SlotStatus | Promise<SlotStatus>;
}
