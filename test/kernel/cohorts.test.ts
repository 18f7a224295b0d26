import { expect, test } from "bun:test";
import { Cohorts } from "#kernel/cohorts.ts";

const COHORT_MAX = 64;

/** Settles when it is time to go on. */
const joined = (cohorts: Cohorts): Promise<void> => new Promise((goOn) => cohorts.enter({ goOn }));

/** Settles in the next turn of the event loop. */
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test("those who come within one turn go on side by side, in the order in which they came", async () => {
  const cohorts = new Cohorts();
  const steps: string[] = [];
  const walk = async (name: string): Promise<void> => {
    await joined(cohorts);
    steps.push(`${name} first`);
    await undefined;
    steps.push(`${name} second`);
  };
  const walks = ["a", "b", "c"].map(walk);
  expect(steps).toEqual([]);
  await Promise.all(walks);
  expect(steps).toEqual(["a first", "b first", "c first", "a second", "b second", "c second"]);
});

test("who comes alone goes on within the same turn of the event loop", async () => {
  const cohorts = new Cohorts();
  for (let time = 0; time < 3; time++) {
    const order: string[] = [];
    const timer = new Promise<void>((resolve) =>
      setTimeout(() => {
        order.push("timer");
        resolve();
      }, 1),
    );
    await joined(cohorts);
    order.push("on");
    await timer;
    expect(order).toEqual(["on", "timer"]);
  }
});

test("of many, some are through with their next step before others begin it", async () => {
  const cohorts = new Cohorts();
  const steps: { readonly index: number; readonly isSecond: boolean }[] = [];
  await Promise.all(
    Array.from({ length: 3 * COHORT_MAX - 1 }, async (_, index) => {
      await joined(cohorts);
      steps.push({ index, isSecond: false });
      await undefined;
      steps.push({ index, isSecond: true });
    }),
  );
  const places = (wanted: (step: { index: number; isSecond: boolean }) => boolean): number[] =>
    steps.flatMap((step, place) => (wanted(step) ? [place] : []));
  for (let cohort = 0; cohort < 2; cohort++) {
    const isOfNext = (index: number): boolean => Math.floor(index / COHORT_MAX) === cohort + 1;
    const lastOfThis = Math.max(...places(({ index }) => Math.floor(index / COHORT_MAX) === cohort));
    const firstOfNext = Math.min(...places(({ index }) => isOfNext(index)));
    expect(lastOfThis).toBeLessThan(firstOfNext);
  }
  expect(steps.filter(({ isSecond }) => !isSecond).map(({ index }) => index)).toEqual(
    Array.from({ length: 3 * COHORT_MAX - 1 }, (_, index) => index),
  );
});

test("nobody is held up for ever by others who keep coming", async () => {
  const cohorts = new Cohorts();
  let isDone = false;
  const crowd = (async () => {
    while (!isDone) {
      for (let index = 0; index < COHORT_MAX; index++) void joined(cohorts);
      await nextTurn();
    }
  })();
  await nextTurn();
  const { promise: tooLong, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error("held up")), 2_000);
  await Promise.race([joined(cohorts), tooLong]);
  clearTimeout(timer);
  isDone = true;
  await crowd;
});
