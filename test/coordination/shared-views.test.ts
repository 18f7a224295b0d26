/** Two threads' views of one memory, and what a dead thread leaves behind. */
import { expect, test } from "bun:test";
import type { CircuitPolicy } from "#coordination/account-vitals.ts";
import { lockCell } from "#coordination/local/cell-lock.ts";
import {
  KEYED_NUMBER,
  SET,
  SET_CELLS,
  SET_ENTRIES,
  SET_HEAD_CELLS,
} from "#coordination/local/memory-layout.ts";
import { HOLDER_KIND, MemoryMap } from "#coordination/local/memory-map.ts";
import { reapThread } from "#coordination/local/reap.ts";
import { LocalSessions } from "#coordination/local/sessions.ts";
import { LocalVitals } from "#coordination/local/vitals.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { HandClock } from "./hand-clock.ts";

const DEAD = 1;
const SUPERVISOR = 2;
const POLICY: CircuitPolicy = { failuresMax: 1, openMs: 1_000, openMsMax: 1_000 };
const account = 7 as AccountId;
const session = { groupId: 1 as GroupId, sessionKey: "a" };
const clock = new HandClock();
const NOW = clock.nowMs;

function twoViews() {
  const memory = MemoryMap.create({
    threads: 3,
    rows: 8,
    entriesPerThread: 8,
    bindings: 3 * SET_ENTRIES,
    modelRests: 2 * SET_ENTRIES,
  });
  const view = (thread: number) => ({
    sessions: new LocalSessions(new MemoryMap(memory.buffer), thread, clock),
    vitals: new LocalVitals(new MemoryMap(memory.buffer), thread, clock),
  });
  return { memory, here: view(0), there: view(DEAD) };
}

test("what one thread binds, another finds, changes and drops", () => {
  const { here, there } = twoViews();
  here.sessions.bind(session, account, 1_000);
  expect(there.sessions.find(session)).toBe(account);
  there.sessions.bind(session, 8 as AccountId, 1_000);
  expect(here.sessions.find(session)).toBe(8 as AccountId);
  expect(there.sessions.flush({})).toBe(1);
  expect(here.sessions.find(session)).toBeUndefined();
});

test("what one thread notes of an account, another sees", () => {
  const { here, there } = twoViews();
  const [mine, theirs] = [here.vitals.of(account), there.vitals.of(account)];
  mine.used(NOW);
  mine.cool(NOW + 1_000, "overloaded");
  mine.noteHeadroom(0.25, NOW + 1_000);
  mine.countRequest(NOW);
  theirs.countRequest(NOW);
  mine.admitSession("a", { sessionsMax: 1, idleMs: 1_000 }, NOW);
  here.vitals.coolModel(account, "m", NOW + 5);
  expect([theirs.lastUsedMs, theirs.coolingUntilMs, theirs.coolingReason]).toEqual([
    NOW,
    NOW + 1_000,
    "overloaded",
  ]);
  expect([theirs.headroom(NOW), theirs.requestsInMinute(NOW)]).toEqual([0.25, 2]);
  expect(theirs.admitSession("b", { sessionsMax: 1, idleMs: 1_000 }, NOW)).toBe(false);
  expect(there.vitals.modelCoolingUntilMs(account, "m")).toBe(NOW + 5);
});

test("the right to probe is one for all threads, and only its owner ends it", () => {
  const { here, there } = twoViews();
  const [mine, theirs] = [here.vitals.of(account), there.vitals.of(account)];
  mine.failed(NOW, POLICY);
  const atMs = NOW + 1_000;
  expect([mine.tryProbe(atMs, 5_000), theirs.tryProbe(atMs, 5_000)]).toEqual([true, false]);
  theirs.abstained();
  expect(theirs.failed(atMs, POLICY)).toBe("none");
  expect(theirs.tryProbe(atMs, 5_000)).toBe(false);
  mine.abstained();
  expect(theirs.tryProbe(atMs, 5_000)).toBe(true);
});

test("every lock a dead thread left is given back, and its right to probe", async () => {
  const { memory, here, there } = twoViews();
  const { layout } = memory;
  const mine = here.vitals.of(account);
  here.sessions.bind(session, account, 1_000);
  mine.failed(NOW, POLICY);
  there.vitals.of(account).tryProbe(NOW + 1_000, 60_000);
  const row = memory.rowOf(HOLDER_KIND.account, account, 0) as number;
  expect(memory.seize(row, -1, DEAD)).toBe(true);
  for (const { at, sets } of [layout.bindings, layout.modelRests]) {
    for (let set = 0; set < sets; set++) lockCell(layout.cells, at + set * SET_CELLS + SET.lock, DEAD);
  }
  await reapThread(memory, DEAD, SUPERVISOR);
  const startedAt = performance.now();
  expect(here.sessions.find(session)).toBe(account);
  expect(here.sessions.flush({})).toBe(1);
  here.vitals.coolModel(account, "m", NOW + 5);
  expect(here.vitals.modelCoolingUntilMs(account, "m")).toBe(NOW + 5);
  mine.countRequest(NOW);
  expect(mine.tryProbe(NOW + 1_000, 60_000)).toBe(true);
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});

test("reaping leaves alone the locks of threads that live", async () => {
  const { memory, here } = twoViews();
  const { at } = memory.layout.bindings;
  lockCell(memory.layout.cells, at + SET.lock, 0);
  await reapThread(memory, DEAD, SUPERVISOR);
  expect(Atomics.load(memory.layout.cells, at + SET.lock)).toBe(1);
  Atomics.store(memory.layout.cells, at + SET.lock, 0);
  expect(here.sessions.find(session)).toBeUndefined();
});

test("a binding whose thread died while writing it is no binding, and its room is used again", () => {
  const { memory, here } = twoViews();
  const { layout } = memory;
  here.sessions.bind(session, account, 1_000);
  for (let set = 0; set < layout.bindings.sets; set++) {
    const entry = layout.bindings.at + set * SET_CELLS + SET_HEAD_CELLS;
    layout.numbers[entry / 2 + KEYED_NUMBER.value] = 0;
  }
  expect(here.sessions.find(session)).toBeUndefined();
  expect(here.sessions.flush({})).toBe(0);
  here.sessions.bind(session, account, 1_000);
  expect(here.sessions.find(session)).toBe(account);
});
