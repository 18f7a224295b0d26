/** Slots at Redis under random schedules over three processes, some of which die. */
import { afterEach, expect, test } from "bun:test";
import { Schedule } from "./redis-schedule.ts";

/** How long the schedules last, in milliseconds; longer where somebody asks for it. */
const LASTS_MS = Number(process.env["REDIS_MODEL_MS"] ?? 5_000);

const schedules: Schedule[] = [];

afterEach(async () => {
  for (const schedule of schedules.splice(0)) await schedule.close();
});

test("no schedule over three nodes, killed ones included, grants beyond a limit or leaks a slot", async () => {
  const schedule = new Schedule(process.env["TEST_REDIS_URL"] ?? "");
  schedules.push(schedule);
  await schedule.start();
  const until = performance.now() + LASTS_MS;
  while (performance.now() < until) {
    await Bun.sleep(300 + schedule.shuffle.below(700));
    await schedule.killOne();
  }
  const left = await schedule.end();
  const { seed } = schedule;
  expect({ seed, exceeded: await schedule.exceeded((limit) => limit) }).toEqual({ seed, exceeded: [] });
  expect({ seed, left }).toEqual({ seed, left: left.map(() => "left 0") });
}, 120_000);
