import type { AccountId } from "#domain/ids.ts";
import type { Platform } from "#domain/platform.ts";
import type { RuntimeSettings } from "#domain/settings.ts";
import type { Fault } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";

/** Longest pause before one account is asked again, in milliseconds. */
const DELAY_MS_MAX = 8_000;

/** Faults that may be over in a moment, so that the same account is worth another try. */
const PASSING: ReadonlySet<FaultCode> = new Set([
  "upstream.connect_failed",
  "upstream.unavailable",
  "upstream.overloaded",
]);

/** What follows a failed attempt. */
export type NextStep =
  | { readonly kind: "give-up" }
  | { readonly kind: "switch" }
  | { readonly kind: "repeat"; readonly delayMs: number };

/** The account that an attempt failed with. */
export interface FailedAccount {
  readonly id: AccountId;
  /** No other account of the group could serve the model. */
  readonly isOnly: boolean;
  /** Its own rules allow to ask it again. */
  readonly asksAgain: boolean;
  /** The failure was taken to be its own, whatever the fault looks like. */
  readonly isBlamed: boolean;
}

type Terms = Pick<
  RuntimeSettings,
  "switches_max" | "switches_max_gemini" | "same_account_retries" | "same_account_delay_ms"
>;

/**
 * Decides after each failed attempt of one request what may be tried next.
 *
 * Moves to another account for every fault that another could cure. The same account is asked again only where
 * its fault says so or where there is no other, and only when the upstream has certainly not processed the
 * request: what may have been processed is never sent to the same account twice.
 */
export class Failover {
  /** Accounts that are not asked again. */
  readonly failed = new Set<AccountId>();
  readonly #terms: Terms;
  readonly #switchesMax: number;
  readonly #repeats = new Map<AccountId, number>();
  #switches = 0;
  #rounds = 0;

  constructor(terms: Terms, platform: Platform) {
    this.#terms = terms;
    this.#switchesMax = platform === "gemini" ? terms.switches_max_gemini : terms.switches_max;
  }

  after(fault: Fault, account: FailedAccount): NextStep {
    if (fault.retry === "never" && !account.isBlamed) return { kind: "give-up" };
    const repeats = this.#repeats.get(account.id) ?? 0;
    const mayHelp =
      account.asksAgain || fault.retry === "same-account" || (account.isOnly && isPassing(fault));
    if (mayHelp && fault.isUnprocessed && repeats < this.#terms.same_account_retries) {
      this.#repeats.set(account.id, repeats + 1);
      return { kind: "repeat", delayMs: this.#delayMs(repeats) };
    }
    this.failed.add(account.id);
    this.#switches++;
    return this.#switches > this.#switchesMax ? { kind: "give-up" } : { kind: "switch" };
  }

  /**
   * Every account has failed. Where the last one's fault may pass, all of them are tried again after a pause;
   * undefined: that is not worth it.
   */
  anotherRoundMs(last: Fault): number | undefined {
    const hasRepeated = this.#repeats.size > 0;
    const isWorth = isPassing(last) && last.isUnprocessed && this.#switches <= this.#switchesMax;
    if (!isWorth || hasRepeated || this.#rounds >= this.#terms.same_account_retries) return undefined;
    this.failed.clear();
    return this.#delayMs(this.#rounds++);
  }

  #delayMs(count: number): number {
    return Math.min(this.#terms.same_account_delay_ms * 2 ** count, DELAY_MS_MAX);
  }
}

function isPassing({ code }: Fault): boolean {
  return PASSING.has(code);
}
