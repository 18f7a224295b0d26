import type { Coordination } from "#coordination/coordination.ts";
import { systemClock } from "#kernel/clock.ts";
import { LocalClaims } from "./claims.ts";
import { LocalHolds, type OnHoldExpired } from "./holds.ts";
import { MemoryMap } from "./memory-map.ts";
import { LocalSessions } from "./sessions.ts";
import { LocalSingleFlight } from "./single-flight.ts";
import { LocalSlots } from "./slots.ts";
import { LocalVitals } from "./vitals.ts";

/** One thread's view of the process's shared memory. */
export interface LocalCoordination extends Coordination {
  readonly memory: MemoryMap;
  readonly slots: LocalSlots;
  readonly holds: LocalHolds;
  readonly sessions: LocalSessions;
  readonly vitals: LocalVitals;
  readonly claims: LocalClaims;
}

/** Opens this thread's view of the process's shared memory. */
export function openLocalCoordination(
  buffer: SharedArrayBuffer,
  thread: number,
  onHoldExpired: OnHoldExpired = () => undefined,
): LocalCoordination {
  const memory = new MemoryMap(buffer);
  const slots = new LocalSlots(memory, thread, systemClock);
  const sessions = new LocalSessions(memory, thread, systemClock);
  const vitals = new LocalVitals(memory, thread, systemClock);
  return {
    memory,
    slots,
    holds: new LocalHolds({ memory, thread, clock: systemClock, onExpired: onHoldExpired }),
    sessions,
    vitals,
    claims: new LocalClaims(slots, vitals, sessions),
    singleFlight: new LocalSingleFlight(systemClock),
    broadcast: undefined,
    close: async () => slots.close(),
  };
}
