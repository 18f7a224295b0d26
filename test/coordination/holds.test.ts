/** Holds in shared memory: the contract, two threads' views of one memory, and what a dead thread leaves. */
import { expect, test } from "bun:test";
import type { Hold, Purse } from "#coordination/holds.ts";
import { lockCell } from "#coordination/local/cell-lock.ts";
import { LocalHolds } from "#coordination/local/holds.ts";
import { ROW } from "#coordination/local/memory-layout.ts";
import { MemoryMap, PURSE_KIND } from "#coordination/local/memory-map.ts";
import { reapThread } from "#coordination/local/reap.ts";
import { HandClock } from "./hand-clock.ts";
import { describeHolds } from "./holds.contract.ts";

const SIZE = { threads: 3, rows: 64, entriesPerThread: 1, holdsPerThread: 2_048 };
const SUPERVISOR = 2;
const purse: Purse = { kind: "user", id: 1 };
const books = { availableNanos: 100, revision: 1 };

describeHolds("shared memory", (clock) => {
  const memory = MemoryMap.create(SIZE);
  const holds = new LocalHolds({ memory, thread: 0, clock, onExpired: () => undefined });
  return { holds, advance: (ms) => clock.advance(ms) };
});

function twoViews(size: Partial<typeof SIZE> = {}) {
  const memory = MemoryMap.create({ ...SIZE, ...size });
  const clock = new HandClock();
  const expired: string[] = [];
  const view = (thread: number) => {
    const holds = new LocalHolds({
      memory: new MemoryMap(memory.buffer),
      thread,
      clock,
      onExpired: ({ requestId }) => expired.push(requestId),
    });
    const take = (amountNanos: number, lastsMs = 60_000): Hold | undefined => {
      const requestId = `${thread}:${amountNanos}`;
      const expiresAtMs = clock.nowMs + lastsMs;
      const answer = holds.take({ purse, requestId, amountNanos, books, expiresAtMs });
      return answer.granted ? answer.hold : undefined;
    };
    return { holds, take };
  };
  return { memory, clock, expired, view, here: view(0), there: view(1) };
}

test("threads share what a purse has left, held, ended and booked", () => {
  const { here, there } = twoViews();
  void here.take(60)?.settle(50);
  const hold = there.take(30);
  expect(hold).toBeDefined();
  expect(here.take(21)).toBeUndefined();
  void hold?.settle(10);
  expect(here.holds.status(purse)).toEqual({ heldNanos: 0, unbookedNanos: 60 });
  here.holds.booked({ purse, costNanos: 50 }, { availableNanos: 50, revision: 2 });
  expect(there.take(41)).toBeUndefined();
  expect(there.take(40)).toBeDefined();
});

test("a dead thread's holds come back; what it has settled counts until its successor has counted", async () => {
  const { memory, view, here, there } = twoViews();
  there.take(40);
  void there.take(30)?.settle(30);
  expect(here.take(31)).toBeUndefined();
  expect(await reapThread(memory, 1, SUPERVISOR)).toBe(1);
  expect(here.holds.status(purse)).toEqual({ heldNanos: 0, unbookedNanos: 30 });
  view(1).holds.recount([{ purse, costNanos: 20 }]);
  expect(here.holds.status(purse)).toEqual({ heldNanos: 0, unbookedNanos: 20 });
});

test("a purse whose thread died with its lock in hand is recomputed from its holds", async () => {
  const { memory, here, there } = twoViews();
  here.take(40);
  there.take(30);
  const { cells, numbers } = memory.layout;
  const row = memory.rowOf(PURSE_KIND.user, purse.id, 0) as number;
  lockCell(cells, memory.layout.rowAt(row) + ROW.lock, 1);
  numbers.fill(-77, memory.layout.purseAt(row) + 2, memory.layout.purseAt(row) + 4);
  await reapThread(memory, 1, SUPERVISOR);
  expect(here.holds.status(purse).heldNanos).toBe(40);
  expect(here.take(61)).toBeUndefined();
  expect(here.take(60)).toBeDefined();
});

test("a hold of a thread that does nothing gives way to another thread's request when it has expired", () => {
  const { clock, expired, here, there } = twoViews();
  const late = there.take(100, 1_000);
  expect(here.take(1)).toBeUndefined();
  clock.nowMs += 1_000;
  expect(here.take(70)).toBeDefined();
  void late?.settle(5);
  expect(here.holds.status(purse)).toEqual({ heldNanos: 70, unbookedNanos: 5 });
  expect(expired).toEqual(["1:100"]);
});

test("each expired hold is said once, and its place is used again", () => {
  const { clock, expired, here } = twoViews({ holdsPerThread: 2 });
  const lost = [here.take(1, 1_000), here.take(2, 1_000)];
  expect(here.take(3)).toBeUndefined();
  clock.nowMs += 1_000;
  const [third, fourth] = [here.take(3), here.take(4)];
  for (const hold of [...lost, ...lost]) void hold?.settle(0);
  expect([third?.amountNanos, fourth?.amountNanos]).toEqual([3, 4]);
  expect(expired).toEqual(["0:1", "0:2"]);
  expect(here.holds.status(purse).heldNanos).toBe(7);
  expect(third?.extend({ moreNanos: 1, books, overdraftNanos: 0, expiresAtMs: 0 })).toBe(true);
});

test("without a free place, or a row for the purse, a request is refused instead of let in unseen", () => {
  const { view } = twoViews({ rows: 1, holdsPerThread: 1 });
  const { holds } = view(0);
  const ask = (id: number) =>
    holds.take({
      purse: { kind: "key", id },
      requestId: "a",
      amountNanos: 1,
      books,
      expiresAtMs: Number.MAX_SAFE_INTEGER,
    });
  expect(ask(2)).toMatchObject({ granted: true });
  expect(ask(2)).toMatchObject({ granted: false, refusal: "capacity" });
  expect(ask(3)).toMatchObject({ granted: false, refusal: "capacity" });
});
