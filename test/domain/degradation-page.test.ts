import { expect, test } from "bun:test";
import { DEGRADATIONS } from "#domain/degradation.ts";
import { renderDegradation } from "#domain/render-degradation.ts";

test("the page about what fails is up to date", async () => {
  expect(await Bun.file("docs/degradation.md").text()).toBe(renderDegradation());
});

test("every fault is told of for everything that the gateway stands on", () => {
  const faults = Map.groupBy(DEGRADATIONS, ({ of }) => of);
  const named = [...faults.values()].map((rows) => rows.map(({ fault }) => fault));
  expect(named.length).toBe(2);
  expect(named[0]).toEqual(named[1] ?? []);
});
