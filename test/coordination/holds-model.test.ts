import { expect, test } from "bun:test";
import { HoldsModel } from "./holds-model.ts";
import { Shuffle } from "./shuffle.ts";

const RUNS = Number(process.env["HOLDS_RUNS"] ?? 100_000);
const STEPS_MAX = 30;

/**
 * Random schedules of takes, extensions, settlements, some of them twice, expiries, deaths of threads at any
 * write, bookings whose news is late, doubled, lost or out of order, and adjustments up and down.
 */
test(`in ${RUNS} random runs nothing is admitted that is not affordable, and nothing is left over`, async () => {
  const seed = Number(process.env["HOLDS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  for (let run = 0; run < RUNS; run++) {
    const shuffle = new Shuffle(seed + run);
    const model = new HoldsModel(shuffle);
    try {
      for (let step = shuffle.below(STEPS_MAX); step >= 0; step--) await model.step();
      await model.drain();
    } catch (thrown) {
      throw new Error(`seed ${seed + run}`, { cause: thrown });
    }
  }
  expect(RUNS).toBeGreaterThan(0);
}, 300_000);
