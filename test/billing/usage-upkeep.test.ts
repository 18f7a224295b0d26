import { expect, test } from "bun:test";
import { UsageUpkeep, type UsageUpkeepParts } from "#billing/usage-upkeep.ts";
import type { DropStep } from "#storage/repositories/usage-months.ts";

/** Lets the first look come to its end, and tells what it did. */
async function look(monthsKept: number, steps: readonly DropStep[]) {
  const done: string[] = [];
  const logged: unknown[] = [];
  const left = [...steps];
  const note = (event: string, fields?: object) => logged.push([event, fields]);
  const quiet = () => undefined;
  const parts: UsageUpkeepParts = {
    months: {
      makeAhead: async () => void done.push("made"),
      dropOne: async (kept) => {
        done.push(`drop ${kept}`);
        return left.shift() ?? { kind: "forgot" };
      },
    },
    monthsKept: async () => monthsKept,
    log: { debug: quiet, info: note, warn: note, error: note },
  };
  const upkeep = new UsageUpkeep(parts);
  for (let turns = 0; turns < 1_000; turns++) await Promise.resolve();
  await upkeep.close();
  return { done, logged };
}

test("nothing is dropped where everything is to be kept", async () => {
  expect(await look(0, [])).toEqual({ done: ["made"], logged: [] });
});

test("months are dropped until none is left, and each is told", async () => {
  const steps: DropStep[] = [
    { kind: "dropped", month: "2026_01" },
    { kind: "dropped", month: "2026_02" },
    { kind: "forgot" },
    { kind: "done" },
  ];
  const { done, logged } = await look(3, steps);
  expect(done).toEqual(["made", "drop 3", "drop 3", "drop 3", "drop 3"]);
  expect(logged).toEqual(["2026_01", "2026_02"].map((month) => ["usage.month_dropped", { month }]));
});

test("a month in use is left for later, and one look never goes on for ever", async () => {
  expect((await look(3, [{ kind: "in_use" }])).done).toEqual(["made", "drop 3"]);
  expect((await look(3, [])).done).toHaveLength(101);
});
