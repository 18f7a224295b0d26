import type { Holder, Slots } from "#coordination/slots.ts";
import type { Lease } from "#kernel/lease.ts";

/** Slots of one node, which also take down what somebody else has granted. */
export interface NodeSlots extends Slots {
  /** Counts a lease that was granted elsewhere, whatever the limit; undefined when there is no room to note it. */
  note(holder: Holder): Lease | undefined;
}
