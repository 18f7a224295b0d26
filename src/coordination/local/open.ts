import type { Coordination } from "#coordination/coordination.ts";
import { systemClock } from "#kernel/clock.ts";
import { MemoryMap } from "./memory-map.ts";
import { LocalSlots } from "./slots.ts";

/** Opens this thread's view of the process's shared memory. */
export function openLocalCoordination(memory: SharedArrayBuffer, thread: number): Coordination {
  const slots = new LocalSlots(new MemoryMap(memory), thread, systemClock);
  return { slots, close: async () => slots.close() };
}
