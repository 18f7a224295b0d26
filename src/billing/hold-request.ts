import type {
  Hold,
  HoldAnswer,
  HoldRequest,
  Holds,
  HoldsAnswer,
  Purse,
  PurseBooks,
} from "#coordination/holds.ts";
import { assert } from "#kernel/assert.ts";
import type { Clock } from "#kernel/clock.ts";
import { type ExhaustionPolicy, type GrowthStep, growthSteps } from "./hold-growth.ts";

/**
 * How long a hold lasts that nobody settles, in milliseconds: longer than any request that shows no progress. Only
 * a defect makes one last so long; what a dead thread held is given back at once.
 */
const HOLD_MS = 3_600_000;

/** By how much more of the hold has to be used before a purse that had too little is asked again. */
const ASKS_AGAIN = 0.05;

/** What a request's hold works with. */
export interface RequestHoldParts {
  readonly holds: Pick<Holds, "takeAll">;
  readonly clock: Pick<Clock, "now">;
  readonly requestId: string;
  /** All that the request's cost counts against; each is asked for the whole of it. */
  readonly purses: readonly Purse[];
  /** What the books say now. */
  readonly booksOf: (purse: Purse) => PurseBooks;
  /** What happens when more is used than the purses can pay. */
  readonly policy: () => ExhaustionPolicy;
  /** Told when the hold is settled. */
  readonly onSettled?: (purses: readonly Purse[]) => void;
}

/** What taking a request's hold comes to: all of its purses have given, or none, because of this one. */
export type RequestHoldAnswer =
  | { readonly granted: true; readonly hold: RequestHold }
  | ({ readonly purse: Purse } & Exclude<HoldAnswer, { granted: true }>);

/** What a request asks of each of its purses, for the amount in nano-dollars. */
export function askedOf(
  { clock, requestId, purses, booksOf }: RequestHoldParts,
  amountNanos: number,
): readonly HoldRequest[] {
  const expiresAtMs = clock.now() + HOLD_MS;
  const asked: HoldRequest[] = [];
  for (const purse of purses) {
    asked.push({ purse, requestId, amountNanos, books: booksOf(purse), expiresAtMs });
  }
  return asked;
}

/**
 * Sets the amount aside in every purse of the request, in nano-dollars, or in none. Rejects, and never throws, where
 * it cannot be asked for.
 */
export function takeRequestHold(
  parts: RequestHoldParts,
  amountNanos: number,
): RequestHoldAnswer | Promise<RequestHoldAnswer> {
  try {
    const asked = parts.holds.takeAll(askedOf(parts, amountNanos));
    return asked instanceof Promise ? laterHoldOf(parts, asked) : requestHoldOf(parts, asked);
  } catch (thrown) {
    return Promise.reject(thrown);
  }
}

async function laterHoldOf(parts: RequestHoldParts, asked: Promise<HoldsAnswer>): Promise<RequestHoldAnswer> {
  return requestHoldOf(parts, await asked);
}

/** What the purses' answer comes to for the request. */
export function requestHoldOf(parts: RequestHoldParts, answer: HoldsAnswer): RequestHoldAnswer {
  if (answer.granted) return { granted: true, hold: new RequestHold(parts, answer.holds) };
  const { index, ...refused } = answer;
  const purse = parts.purses[index];
  assert(purse, "it was one of the request's purses that refused");
  return { ...refused, purse };
}

/** The money set aside for one request, in all of its purses. Grows with what is used of it. */
export class RequestHold {
  /** Called once, when more is used than the purses can pay: the answer is to be ended. */
  onExhausted: (() => void) | undefined;
  readonly #parts: RequestHoldParts;
  readonly #holds: readonly Hold[];
  #renewAtMs: number;
  /** A purse had too little left, so it is asked again only when this much is used. */
  #asksAgainAtNanos = 0;
  #isGrowing = false;
  #isOver = false;

  /** Made by {@link takeRequestHold}. */
  constructor(parts: RequestHoldParts, holds: readonly Hold[]) {
    this.#parts = parts;
    this.#holds = holds;
    this.#renewAtMs = parts.clock.now() + HOLD_MS / 2;
  }

  /** Keeps the hold ahead of what the request has used so far, in nano-dollars. Cheap while it is large enough. */
  noteUsed(usedNanos: number): void {
    if (this.#isGrowing || this.#isOver) return;
    let heldNanos = Number.POSITIVE_INFINITY;
    for (const { amountNanos } of this.#holds) heldNanos = Math.min(heldNanos, amountNanos);
    const isNeeded = usedNanos > heldNanos;
    const isQuiet = !isNeeded && usedNanos < this.#asksAgainAtNanos;
    const steps = isQuiet ? [] : growthSteps(usedNanos, heldNanos, this.#parts.policy());
    const isDue = this.#parts.clock.now() >= this.#renewAtMs;
    if (steps.length === 0 && !isDue) return;
    this.#isGrowing = true;
    this.#asksAgainAtNanos = usedNanos + heldNanos * ASKS_AGAIN;
    void this.#grow(steps, isNeeded);
  }

  /**
   * Ends the hold with what the request has cost, in nano-dollars. To be called before the request's record goes
   * to the journal, with the cost that is recorded; in shared memory it has happened when this returns. A second
   * time is none.
   */
  settle(costNanos: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    settleAll(this.#holds, costNanos);
    this.#parts.onSettled?.(this.#parts.purses);
  }

  async #grow(steps: readonly GrowthStep[], isNeeded: boolean): Promise<void> {
    try {
      if (steps.length === 0) await this.#extend({ targetNanos: 0, overdraftNanos: 0 });
      for (const step of steps) {
        if (await this.#extend(step)) return;
      }
    } catch {
      // Whoever cannot be asked has not agreed.
    } finally {
      this.#isGrowing = false;
    }
    if (isNeeded) this.#exhausted();
  }

  async #extend({ targetNanos, overdraftNanos }: GrowthStep): Promise<boolean> {
    const { clock, booksOf } = this.#parts;
    const nowMs = clock.now();
    this.#renewAtMs = nowMs + HOLD_MS / 2;
    for (const hold of this.#holds) {
      const moreNanos = Math.max(0, targetNanos - hold.amountNanos);
      const books = booksOf(hold.purse);
      const expiresAtMs = nowMs + HOLD_MS;
      const asked = hold.extend({ moreNanos, books, overdraftNanos, expiresAtMs });
      if (!(asked instanceof Promise ? await asked : asked)) return false;
    }
    return true;
  }

  #exhausted(): void {
    if (this.#isOver) return;
    const tell = this.onExhausted;
    this.onExhausted = undefined;
    tell?.();
  }
}

/** Ends holds, all with the same cost in nano-dollars. */
export function settleAll(holds: readonly Hold[], costNanos: number): void {
  for (const hold of holds) {
    const told = hold.settle(costNanos);
    // A backend that is away hears of it later: seeing to that is its own promise.
    if (told instanceof Promise) told.catch(() => undefined);
  }
}
