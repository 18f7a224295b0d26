import { expect, test } from "bun:test";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { openLocalCoordination } from "#coordination/local/open.ts";
import { LocalSessions } from "#coordination/local/sessions.ts";
import { LocalSlots } from "#coordination/local/slots.ts";
import { LocalVitals } from "#coordination/local/vitals.ts";
import type { AccountId } from "#domain/ids.ts";
import { systemClock } from "#kernel/clock.ts";
import { describeClaims } from "./claims.contract.ts";
import { HandClock } from "./hand-clock.ts";
import { describeSessions } from "./sessions.contract.ts";
import { describeSlots } from "./slots.contract.ts";
import { describeVitals } from "./vitals.contract.ts";

const SIZE = { threads: 2, rows: 64, entriesPerThread: 256 };

describeSlots("shared memory", () => new LocalSlots(MemoryMap.create(SIZE), 0, systemClock));
describeSessions("shared memory", () => {
  const clock = new HandClock();
  const sessions = new LocalSessions(MemoryMap.create(SIZE), 0, clock);
  return { sessions, advance: (ms) => clock.advance(ms) };
});
describeClaims("shared memory", () => openLocalCoordination(MemoryMap.create(SIZE).buffer, 0));
describeVitals("shared memory", () => new LocalVitals(MemoryMap.create(SIZE), 0, systemClock));

test("a table without a free row refuses instead of forgetting to count", async () => {
  const slots = new LocalSlots(MemoryMap.create({ ...SIZE, rows: 2 }), 0, systemClock);
  const signal = new AbortController().signal;
  const ask = (id: number) =>
    slots.acquire({ holder: { kind: "user", id }, limit: 1, waitersMax: 1, waitMsMax: 10, signal });
  expect([await ask(1), await ask(2)]).toMatchObject([{ granted: true }, { granted: true }]);
  expect(await ask(3)).toMatchObject({ granted: false, refusal: "capacity" });
});

test("ids beyond 32 bits do not share a row", () => {
  const memory = MemoryMap.create(SIZE);
  const rows = [1, 2 ** 32 + 1, 2 ** 33 + 1].map((id) => memory.rowOf(1, id, 0));
  expect(new Set(rows).size).toBe(3);
});

test("an account's figures know its slots and who waits for them", async () => {
  const memory = MemoryMap.create(SIZE);
  const slots = new LocalSlots(memory, 0, systemClock);
  const vitals = new LocalVitals(memory, 0, systemClock).of(5 as AccountId);
  const signal = new AbortController().signal;
  const ask = (kind: "account" | "user") =>
    slots.acquire({ holder: { kind, id: 5 }, limit: 1, waitersMax: 1, waitMsMax: 5_000, signal });
  const first = await ask("account");
  const second = ask("account");
  await ask("user");
  expect([vitals.inFlight, vitals.waiting]).toEqual([1, 1]);
  if (first.granted) first.lease.release();
  await second;
  expect([vitals.inFlight, vitals.waiting]).toEqual([1, 0]);
});

test("accounts beyond the rows have figures all the same, each its own", () => {
  const board = new LocalVitals(MemoryMap.create({ ...SIZE, rows: 1 }), 0, systemClock);
  const [shared, beyond, further] = [1, 2, 3].map((id) => board.of(id as AccountId));
  beyond?.cool(1_000, "rule");
  expect([shared, beyond, further].map((vitals) => vitals?.coolingUntilMs)).toEqual([0, 1_000, 0]);
  expect(board.of(2 as AccountId)).toBe(beyond as NonNullable<typeof beyond>);
  expect(beyond?.admitSession("a", { sessionsMax: 1, idleMs: 1_000 }, 1)).toBe(true);
});

test("with no block left, an account's conversations are not limited", () => {
  const board = new LocalVitals(MemoryMap.create({ ...SIZE, activeBlocks: 1 }), 0, systemClock);
  const limit = { sessionsMax: 1, idleMs: 1_000 };
  const admitted = [1, 2].map((id) => {
    const vitals = board.of(id as AccountId);
    return ["a", "b"].map((key) => [
      vitals.wouldAdmitSession(key, limit, 1_000),
      vitals.admitSession(key, limit, 1_000),
    ]);
  });
  expect(admitted).toEqual([
    [
      [true, true],
      [false, false],
    ],
    [
      [true, true],
      [true, true],
    ],
  ]);
});

test("an account has at most as many active conversations as its block holds", () => {
  const vitals = new LocalVitals(MemoryMap.create(SIZE), 0, systemClock).of(1 as AccountId);
  const limit = { sessionsMax: 10_000, idleMs: 1_000 };
  const keys = Array.from({ length: 200 }, (_, index) => `session ${index}`);
  const admitted = keys.filter((key) => vitals.admitSession(key, limit, 5_000));
  expect(admitted).toEqual(keys.slice(0, 128));
  expect(vitals.activeSessions(limit.idleMs, 5_000)).toBe(128);
  expect(keys.filter((key) => vitals.admitSession(key, limit, 6_000)).length).toBe(128);
});
