import type { OpenJob } from "./jobs.ts";

const MS_PER_SECOND = 1_000;

/** Intended arrivals in milliseconds from the start, in order. The same job makes the same schedule. */
export function scheduleOf({
  rate,
  seconds,
  arrivals,
  seed,
}: Omit<OpenJob, "kind" | "target">): Float64Array {
  const chance = mulberry32(seed);
  const meanGapMs = MS_PER_SECOND / rate;
  const times: number[] = [];
  for (let at = 0; at < seconds * MS_PER_SECOND; ) {
    times.push(at);
    at += arrivals === "fixed" ? meanGapMs : -Math.log(1 - chance()) * meanGapMs;
  }
  return Float64Array.from(times);
}

/** Chance that can be repeated: Tommy Ettinger's mulberry32, 0 to below 1. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
