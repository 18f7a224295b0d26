import { afterAll, beforeAll, expect, test } from "bun:test";
import { FURTHER_FAULTS } from "./further-faults.ts";
import type { Scenario } from "./scenario.ts";
import { scorecardRow } from "./scorecard.ts";
import { publishedPage } from "./section.ts";
import { SHARED_SIXTEEN } from "./shared-sixteen.ts";
import { Wall } from "./wall.ts";

/** Generous, because machines are shared; the scorecard prints what it was. */
const FAILOVER_MS_MAX = 1_000;
const SCENARIOS: readonly Scenario[] = [...SHARED_SIXTEEN, ...FURTHER_FAULTS];

let wall: Wall;
let page: string;

beforeAll(async () => {
  wall = await Wall.open();
  page = await publishedPage();
}, 60_000);
afterAll(() => wall.close());

for (const scenario of SCENARIOS) {
  test.concurrent(`${scenario.id} ${scenario.title}: never a hang, never half an answer that looks whole, nothing left behind`, async () => {
    const played = await wall.play(scenario);
    expect(played.filter(({ verdict }) => verdict === "fail").map(({ form, why }) => [form, why])).toEqual(
      [],
    );
    // The published scorecard is what was found.
    expect(page).toContain(scorecardRow(scenario, played));
    for (const { failoverMs = 0 } of played) expect(failoverMs).toBeLessThan(FAILOVER_MS_MAX);
  }, 60_000);
}
