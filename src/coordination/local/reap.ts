import { Circuit } from "./circuit.ts";
import { unlockSetsOf } from "./expiring-table.ts";
import { ENTRY_FREE, HOLDER_KIND, type MemoryMap } from "./memory-map.ts";
import { PurseRows } from "./purse-rows.ts";
import { WaitingLine } from "./waiting-line.ts";

/** Pause between tries for a lock that another thread has, in milliseconds. */
const LOCK_RETRY_MS = 1;

/**
 * Gives back everything a dead thread held or waited for, the right to probe and the money set aside for its
 * requests included, and the locks it died with. What its ended requests have cost still counts: the thread that
 * replaces it finds them in the journal and answers for them from then on.
 *
 * Called by the supervising thread once the dead one has certainly stopped and before it is replaced. It
 * never blocks: the lock it needs may belong to another thread that has died and is still to be reaped.
 *
 * @returns how many leases, waiters and holds were given back.
 */
export async function reapThread(memory: MemoryMap, deadThread: number, by: number): Promise<number> {
  giveBackLocks(memory, deadThread, by);
  const leases = await giveBackLeases(memory, deadThread, by);
  const holds = await giveBackHolds(memory, deadThread, by);
  await endProbes(memory, deadThread, by);
  // A grant the dead thread made but did not announce is found by waking everyone once.
  for (let thread = 0; thread < memory.threads; thread++) memory.wake(thread);
  return leases + holds;
}

/** A row may have been left halfway, so it is recomputed before its lock is free. */
function giveBackLocks(memory: MemoryMap, deadThread: number, by: number): void {
  const { layout } = memory;
  const line = new WaitingLine(memory);
  const purses = new PurseRows(layout);
  memory.unlockTableOf(deadThread, by);
  unlockSetsOf(layout, layout.bindings, deadThread, by);
  unlockSetsOf(layout, layout.modelRests, deadThread, by);
  for (let row = 0; row < memory.rowsUsed; row++) {
    if (!memory.seize(row, deadThread, by)) continue;
    if (memory.isPurse(row)) purses.repair(row);
    else line.repair(row);
    memory.unlock(row);
  }
}

async function giveBackLeases(memory: MemoryMap, deadThread: number, by: number): Promise<number> {
  const line = new WaitingLine(memory);
  const first = deadThread * memory.entriesPerThread;
  let leases = 0;
  for (let entry = first; entry < first + memory.entriesPerThread; entry++) {
    if (memory.readEntry(entry, "state") === ENTRY_FREE) continue;
    const row = memory.readEntry(entry, "row");
    await underLock(memory, row, by, () => line.remove(row, entry, []));
    leases++;
  }
  return leases;
}

async function giveBackHolds(memory: MemoryMap, deadThread: number, by: number): Promise<number> {
  const purses = new PurseRows(memory.layout);
  const [first, end] = purses.placesOf(deadThread);
  let holds = 0;
  for (let place = first; place < end; place++) {
    const row = purses.rowOf(place);
    if (row < 0) continue;
    await underLock(memory, row, by, () => {
      // Another thread may have found it expired in the meantime.
      if (purses.has(row, place)) purses.remove(row, place);
    });
    holds++;
  }
  return holds;
}

async function endProbes(memory: MemoryMap, deadThread: number, by: number): Promise<void> {
  const { layout } = memory;
  for (let row = 0; row < memory.rowsUsed; row++) {
    if (memory.readRow(row, "kind") !== HOLDER_KIND.account) continue;
    const circuit = new Circuit(layout.numbers, layout.vitalsAt(row), deadThread);
    if (circuit.isProber) await underLock(memory, row, by, () => circuit.endProbe());
  }
}

async function underLock(memory: MemoryMap, row: number, by: number, work: () => void): Promise<void> {
  while (!memory.tryLocked(row, by, work)) await Bun.sleep(LOCK_RETRY_MS);
}
