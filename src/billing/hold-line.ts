import type { Purse } from "#coordination/holds.ts";
import { Fault } from "#kernel/fault.ts";
import type { RequestHold } from "./hold-request.ts";

/** Requests of one payer that may wait in this thread; further ones are refused at once. */
const WAITERS_MAX = 10_000;
/** How often the first in line asks again, in milliseconds, for what was given back in another thread. */
const RECHECK_MS = 50;

/** What asking comes to: the money; a refusal for good; or `later`, others have set it aside and may give it back. */
export type HoldTry =
  | { readonly kind: "granted"; readonly hold: RequestHold }
  | { readonly kind: "refused" | "later"; readonly fault: Fault };

/** One request that waits for money. */
export interface HoldWait {
  /** Asks again. Never throws and never rejects. */
  readonly attempt: () => HoldTry | Promise<HoldTry>;
  /** Why it has to wait. */
  readonly fault: Fault;
  readonly waitMsMax: number;
  readonly signal: AbortSignal;
}

/**
 * Requests that wait for money others have set aside: first come, first served, for each payer. One instance per
 * thread; what another thread gives back is seen a moment later.
 */
export class HoldLine {
  readonly #lines = new Map<string, PayerLine>();

  /** Whether somebody waits for this payer's money. */
  hasWaiters(payer: Purse): boolean {
    return this.#lines.size > 0 && this.#lines.has(nameOf(payer));
  }

  /**
   * Waits for its turn and for the money.
   *
   * @throws Fault of the last try when the money did not come in time, or never will; `admit.client_gone`.
   */
  async wait(payer: Purse, wait: HoldWait): Promise<RequestHold> {
    const name = nameOf(payer);
    const line = this.#lines.get(name) ?? new PayerLine();
    if (line.length >= WAITERS_MAX) throw wait.fault;
    this.#lines.set(name, line);
    try {
      return await line.wait(wait);
    } finally {
      if (line.length === 0 && this.#lines.get(name) === line) this.#lines.delete(name);
    }
  }

  /** Money of this payer was given back: the first in line asks again, and so on while they get it. */
  givenBack(payer: Purse): void {
    if (this.#lines.size > 0) void this.#lines.get(nameOf(payer))?.serve();
  }
}

/** Who waits for the money of one payer. */
class PayerLine {
  readonly #waiters = new Set<Waiter>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #isServing = false;
  #isAskedAgain = false;

  get length(): number {
    return this.#waiters.size;
  }

  async wait(wait: HoldWait): Promise<RequestHold> {
    const waiter = new Waiter(wait);
    this.#waiters.add(waiter);
    this.#timer ??= setInterval(() => void this.serve(), RECHECK_MS);
    try {
      return await waiter.answer;
    } finally {
      this.#waiters.delete(waiter);
      if (this.#waiters.size === 0) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      } else void this.serve();
    }
  }

  /** Lets those at the head ask, one after the other; one that cannot be answered yet holds up those behind it. */
  async serve(): Promise<void> {
    this.#isAskedAgain = true;
    if (this.#isServing) return;
    this.#isServing = true;
    while (this.#isAskedAgain) {
      this.#isAskedAgain = false;
      for (const waiter of this.#waiters) {
        if (!(await waiter.ask())) break;
        this.#waiters.delete(waiter);
      }
    }
    this.#isServing = false;
  }
}

/** One request in line, until it has its answer or goes. */
class Waiter {
  readonly answer: Promise<RequestHold>;
  readonly #wait: HoldWait;
  readonly #settle = Promise.withResolvers<RequestHold>();
  #fault: Fault;
  #isOver = false;

  constructor(wait: HoldWait) {
    this.#wait = wait;
    this.#fault = wait.fault;
    const { signal, waitMsMax } = wait;
    const timer = setTimeout(() => this.#refuse(this.#fault), waitMsMax);
    const onGone = (): void => this.#refuse(new Fault("admit.client_gone"));
    signal.addEventListener("abort", onGone);
    if (signal.aborted) onGone();
    this.answer = this.#settle.promise.finally(() => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onGone);
    });
  }

  /** Whether it has its answer now. */
  async ask(): Promise<boolean> {
    if (this.#isOver) return true;
    const tried = await this.#wait.attempt();
    if (tried.kind === "granted") this.#give(tried.hold);
    else if (tried.kind === "refused") this.#refuse(tried.fault);
    else this.#fault = tried.fault;
    return this.#isOver;
  }

  /** Money that comes when the request has gone goes back. */
  #give(hold: RequestHold): void {
    if (this.#isOver) hold.settle(0);
    this.#isOver = true;
    this.#settle.resolve(hold);
  }

  #refuse(fault: Fault): void {
    this.#isOver = true;
    this.#settle.reject(fault);
  }
}

function nameOf({ kind, id }: Purse): string {
  return `${kind} ${id}`;
}
