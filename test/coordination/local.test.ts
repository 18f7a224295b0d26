import { expect, test } from "bun:test";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { LocalSlots } from "#coordination/local/slots.ts";
import { systemClock } from "#kernel/clock.ts";
import { describeSlots } from "./slots.contract.ts";

const SIZE = { threads: 2, rows: 64, entriesPerThread: 256 };

describeSlots("shared memory", () => new LocalSlots(MemoryMap.create(SIZE), 0, systemClock));

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
