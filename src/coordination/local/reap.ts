import { Circuit } from "./circuit.ts";
import { unlockSetsOf } from "./expiring-table.ts";
import { ENTRY_FREE, type MemoryMap } from "./memory-map.ts";
import { WaitingLine } from "./waiting-line.ts";

/** Pause between tries for a lock that another thread has, in milliseconds. */
const LOCK_RETRY_MS = 1;

/**
 * Gives back everything a dead thread held or waited for, the right to probe included, and the locks it died
 * with.
 *
 * Called by the supervising thread once the dead one has certainly stopped and before it is replaced. It
 * never blocks: the lock it needs may belong to another thread that has died and is still to be reaped.
 *
 * @returns how many leases and waiters were given back.
 */
export async function reapThread(memory: MemoryMap, deadThread: number, by: number): Promise<number> {
  const line = new WaitingLine(memory);
  const { layout } = memory;
  memory.unlockTableOf(deadThread, by);
  unlockSetsOf(layout, layout.bindings, deadThread, by);
  unlockSetsOf(layout, layout.modelRests, deadThread, by);
  for (let row = 0; row < memory.rowsUsed; row++) {
    if (!memory.seize(row, deadThread, by)) continue;
    line.repair(row);
    memory.unlockSeized(row);
  }
  let reaped = 0;
  const first = deadThread * memory.entriesPerThread;
  for (let entry = first; entry < first + memory.entriesPerThread; entry++) {
    if (memory.readEntry(entry, "state") === ENTRY_FREE) continue;
    const row = memory.readEntry(entry, "row");
    await underLock(memory, row, by, () => line.remove(row, entry, []));
    reaped++;
  }
  for (let row = 0; row < memory.rowsUsed; row++) {
    const circuit = new Circuit(layout.numbers, layout.vitalsAt(row), deadThread);
    if (circuit.isProber) await underLock(memory, row, by, () => circuit.endProbe());
  }
  // A grant the dead thread made but did not announce is found by waking everyone once.
  for (let thread = 0; thread < memory.threads; thread++) memory.wake(thread);
  return reaped;
}

async function underLock(memory: MemoryMap, row: number, by: number, work: () => void): Promise<void> {
  while (!memory.tryLocked(row, by, work)) await Bun.sleep(LOCK_RETRY_MS);
}
