import type { Clock } from "#kernel/clock.ts";

/** A clock that stands still until a test moves it. Begins at a whole minute. */
export class HandClock implements Clock {
  nowMs = Date.UTC(2027, 0, 15, 12);

  now(): number {
    return this.nowMs;
  }

  monotonic(): number {
    return this.nowMs;
  }

  advance(ms: number): void {
    this.nowMs += ms;
  }
}
