import { expect, test } from "bun:test";
import { StallWatch } from "#kernel/stall-watch.ts";

test("a watch that is not renewed fires once, never early", async () => {
  const stalls: number[] = [];
  const started = performance.now();
  const watch = new StallWatch(5).open(() => stalls.push(performance.now() - started));
  watch.arm(20);
  await Bun.sleep(80);
  watch.close();
  expect(stalls).toHaveLength(1);
  expect(stalls[0]).toBeGreaterThanOrEqual(20);
});

test("renewing and disarming keep it from firing", async () => {
  let stalls = 0;
  const watch = new StallWatch(5).open(() => stalls++);
  for (let renewal = 0; renewal < 6; renewal++) {
    watch.arm(30);
    await Bun.sleep(10);
  }
  watch.disarm();
  await Bun.sleep(60);
  watch.close();
  expect(stalls).toBe(0);
});

test("closed watches are forgotten", () => {
  const watches = new StallWatch(5);
  const open = Array.from({ length: 10 }, () => watches.open(() => undefined));
  for (const watch of open) watch.close();
  expect(watches.size).toBe(0);
});

test("breaking off tells every open watch, whether it is armed or not, and no closed one", () => {
  const watches = new StallWatch(5);
  const told: string[] = [];
  const open = ["armed", "disarmed", "closed"].map((name) =>
    watches.open(
      () => undefined,
      () => told.push(name),
    ),
  );
  open[0]?.arm(1_000);
  open[2]?.close();
  watches.breakOff();
  for (const watch of open) watch.close();
  expect(told).toEqual(["armed", "disarmed"]);
});
