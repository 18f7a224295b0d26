import type { Plan } from "./plan.ts";
import { Refusal } from "./refusal.ts";

/** Most plans that may wait in one queue. */
const PLANS_QUEUED_MAX = 100_000;
/** Most keys that may have a queue of their own. */
const KEYS_PLANNED_MAX = 10_000;

/** Whom plans are for and how often they count. */
export interface PlanTarget {
  /** The key the plans are for; without it they are for every key that has no plan of its own. */
  readonly apiKey?: string | undefined;
  /** Goes through the plans round and round instead of using each once. Replaces what was queued. */
  readonly repeat?: boolean | undefined;
}

/** Which plan a request gets, and where the plan came from. */
export interface ChosenPlan {
  readonly plan: Plan;
  readonly source: "request" | "queued" | "default";
}

interface PlanQueue {
  readonly plans: Plan[];
  /** Index of the next plan. Advancing it keeps taking a plan cheap however long the queue is. */
  next: number;
  readonly repeat: boolean;
}

/** The plans set ahead of requests, by API key. */
export class PlanBook {
  readonly #byKey = new Map<string, PlanQueue>();
  #shared: PlanQueue | undefined;

  /**
   * Queues plans behind those already there.
   *
   * @throws Refusal 400 when a queue or the number of queues would pass its bound.
   */
  add(plans: readonly Plan[], { apiKey, repeat = false }: PlanTarget): void {
    const present = apiKey === undefined ? this.#shared : this.#byKey.get(apiKey);
    const waiting = repeat || present?.repeat !== false ? [] : present.plans.slice(present.next);
    if (waiting.length + plans.length > PLANS_QUEUED_MAX) {
      throw new Refusal(400, `at most ${PLANS_QUEUED_MAX} plans may wait`);
    }
    this.#put(apiKey, { plans: [...waiting, ...plans], next: 0, repeat });
  }

  /** Takes the next plan for a key: its own, else one that is for everybody, else the empty plan. */
  take(apiKey: string): ChosenPlan {
    const plan = takeFrom(this.#byKey.get(apiKey)) ?? takeFrom(this.#shared);
    return plan === undefined ? { plan: {}, source: "default" } : { plan, source: "queued" };
  }

  /** Forgets every plan. */
  clear(): void {
    this.#byKey.clear();
    this.#shared = undefined;
  }

  #put(apiKey: string | undefined, queue: PlanQueue): void {
    if (apiKey === undefined) {
      this.#shared = queue;
      return;
    }
    if (!this.#byKey.has(apiKey) && this.#byKey.size >= KEYS_PLANNED_MAX) {
      throw new Refusal(400, `at most ${KEYS_PLANNED_MAX} keys may have plans`);
    }
    this.#byKey.set(apiKey, queue);
  }
}

function takeFrom(queue: PlanQueue | undefined): Plan | undefined {
  if (queue === undefined) return undefined;
  const plan = queue.plans[queue.next];
  queue.next += 1;
  if (queue.repeat && queue.next >= queue.plans.length) queue.next = 0;
  return plan;
}
