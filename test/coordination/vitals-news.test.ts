/** What nodes make of each other's news of an account. */
import { expect, test } from "bun:test";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { LocalVitals } from "#coordination/local/vitals.ts";
import type { VitalsNews } from "#coordination/vitals-news.ts";
import type { AccountId } from "#domain/ids.ts";
import { systemClock } from "#kernel/clock.ts";
import { Shuffle } from "./shuffle.ts";

const NOW = Date.UTC(2027, 0, 15, 12);
const POLICY = { failuresMax: 1, openMs: 60_000, openMsMax: 60_000 };
const account = 7 as AccountId;

/** A node that hears what it tells itself as well, in the order in which everybody hears it. */
function openNode(told: VitalsNews[]) {
  const board = new LocalVitals(
    MemoryMap.create({ threads: 1, rows: 4, entriesPerThread: 8 }),
    0,
    systemClock,
  );
  board.onNews = (news) => told.push(news);
  let heard = 0;
  return {
    vitals: board.of(account),
    hearOne: () => {
      const news = told[heard];
      if (news === undefined) return false;
      heard++;
      board.apply(news);
      return true;
    },
  };
}

test("news that come back to a node do not undo what it has noted since", () => {
  const { vitals, hearOne } = openNode([]);
  vitals.failed(NOW, POLICY);
  vitals.tryProbe(NOW + 60_000, 1_000);
  vitals.succeeded(NOW + 60_000, 0);
  vitals.failed(NOW + 60_000, POLICY);
  while (hearOne()) expect(vitals.circuit(NOW + 60_001)).toBe("open");

  vitals.recover(NOW + 70_000);
  vitals.cool(NOW + 90_000, "rate_limited");
  vitals.failed(NOW + 70_000, POLICY);
  while (hearOne()) {
    expect(vitals.circuit(NOW + 70_001)).toBe("open");
    expect(vitals.coolingUntilMs).toBe(NOW + 90_000);
  }
});

/** Three nodes do and hear things at random; true when they agree at the end. */
function agree(seed: number): boolean {
  const shuffle = new Shuffle(seed);
  const told: VitalsNews[] = [];
  const nodes = Array.from({ length: 3 }, () => ({
    ...openNode(told),
    offsetMs: shuffle.below(2_000) - 1_000,
  }));
  for (let step = 0; step < 40; step++) {
    const { vitals, hearOne, offsetMs } = nodes[shuffle.below(3)] as (typeof nodes)[number];
    const nowMs = NOW + step * 20_000 + offsetMs;
    const deeds = [
      () => vitals.failed(nowMs, POLICY),
      () => vitals.tryProbe(nowMs, 1_000) && vitals.succeeded(nowMs, 0),
      () => vitals.recover(nowMs),
      hearOne,
      hearOne,
    ];
    deeds[shuffle.below(deeds.length)]?.();
  }
  for (const { hearOne } of nodes) while (hearOne());
  const afterMs = NOW + 40 * 20_000 + 30_000;
  return new Set(nodes.map(({ vitals }) => vitals.circuit(afterMs))).size === 1;
}

test("nodes whose clocks differ agree on a circuit once all news have arrived, in whatever order they acted", () => {
  const seeds = Array.from({ length: 500 }, (_, seed) => seed);
  expect(seeds.filter((seed) => !agree(seed))).toEqual([]);
});
