import { NOT_ROSTERED, Roster, type Rostered } from "./roster.ts";

/** One thing that must happen in time, again and again. */
export interface Watch {
  /** Starts or restarts the count: without another `arm` or `disarm`, `onStall` is called once after this time. */
  arm(milliseconds: number): void;
  /** Nothing is expected for now. */
  disarm(): void;
  /** Ends the watch for good. */
  close(): void;
}

/**
 * Many time limits on one timer.
 *
 * A limit that is renewed with every chunk of every stream would cost a timer each; here renewing is one
 * assignment. Limits are kept to within two ticks and are never early.
 */
export class StallWatch {
  readonly #tickMs: number;
  readonly #entries = new Roster<Entry>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(tickMs: number) {
    this.#tickMs = tickMs;
  }

  /**
   * Opens a watch, disarmed. Whoever opens it closes it.
   *
   * @param onBreakOff called by {@link breakOff}; nothing unless given.
   */
  open(onStall: () => void, onBreakOff: () => void = nothing): Watch {
    return this.watch({ onStall, onBreakOff });
  }

  /** Opens a watch that tells an object which is there anyway. */
  watch(told: StallListener): Watch {
    const entry = new Entry(this.#tickMs, told, this.#entries);
    this.#entries.add(entry);
    this.#timer ??= setInterval(() => this.#tick(), this.#tickMs);
    return entry;
  }

  /** There is no more time for anything that is watched now. */
  breakOff(): void {
    for (const entry of this.#entries.members()) entry.breakOff();
  }

  /** Watches that are open now. */
  get size(): number {
    return this.#entries.size;
  }

  /** The timer ends with the first tick that finds nothing open, so that requests one by one do not each start one. */
  #tick(): void {
    for (const entry of this.#entries.members()) entry.tick();
    if (this.#entries.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** Who is told by a watch. */
export interface StallListener {
  /** It has not happened in time. */
  onStall(): void;
  /** There is no more time for it. */
  onBreakOff(): void;
}

function nothing(): void {}

class Entry implements Watch, Rostered {
  rosterPlace = NOT_ROSTERED;
  readonly #tickMs: number;
  readonly #told: StallListener;
  readonly #open: Roster<Entry>;
  /** Ticks until the stall; 0 is disarmed. */
  #ticksLeft = 0;

  constructor(tickMs: number, told: StallListener, open: Roster<Entry>) {
    this.#tickMs = tickMs;
    this.#told = told;
    this.#open = open;
  }

  arm(milliseconds: number): void {
    this.#ticksLeft = Math.ceil(milliseconds / this.#tickMs) + 1;
  }

  disarm(): void {
    this.#ticksLeft = 0;
  }

  close(): void {
    this.#ticksLeft = 0;
    this.#open.remove(this);
  }

  tick(): void {
    if (this.#ticksLeft === 0) return;
    this.#ticksLeft--;
    if (this.#ticksLeft === 0) this.#told.onStall();
  }
  breakOff(): void {
    this.#told.onBreakOff();
  }
}
