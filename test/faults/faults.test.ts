import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { FURTHER_FAULTS } from "./further-faults.ts";
import type { Report, Scenario } from "./scenario.ts";
import { renderScorecard } from "./scorecard.ts";
import { SHARED_SIXTEEN } from "./shared-sixteen.ts";
import { Wall } from "./wall.ts";

/** Generous, because machines are shared; the scorecard prints what it was. */
const FAILOVER_MS_MAX = 1_000;
const SCENARIOS: readonly Scenario[] = [...SHARED_SIXTEEN, ...FURTHER_FAULTS];

let wall: Wall;
const reports: Report[] = [];

beforeAll(async () => {
  wall = await Wall.open();
}, 60_000);
afterAll(() => wall.close());

for (const scenario of SCENARIOS) {
  test.concurrent(`${scenario.id} ${scenario.title}: never a hang, never half an answer that looks whole, nothing left behind`, async () => {
    const played = await wall.play(scenario);
    reports.push(...played);
    expect(played.filter(({ verdict }) => verdict === "fail").map(({ form, why }) => [form, why])).toEqual(
      [],
    );
    for (const { failoverMs = 0 } of played) expect(failoverMs).toBeLessThan(FAILOVER_MS_MAX);
  }, 60_000);
}

test("the published scorecard is what was found", async () => {
  const page = await Bun.file(join(import.meta.dir, "../../docs/faults.md")).text();
  expect(page).toBe(renderScorecard(SCENARIOS, reports));
});
