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

/**
 * How often a request may meet silence for its whole time limit before it is given up: each costs the client that
 * long, and each account may be at work on it.
 */
const STREAM_SILENCES_MAX = 2;
const WHOLE_SILENCES_MAX = 1;

/** What of a request matters for what may be tried. */
export interface FailoverRequest {
  readonly platform: Platform;
  readonly stream: boolean;
}

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
  /** Accounts that may have processed the request, and so never get it again. */
  readonly #spent: Set<AccountId>;
  readonly #terms: Terms;
  readonly #switchesMax: number;
  readonly #repeats = new Map<AccountId, number>();
  readonly #silencesMax: number;
  #switches = 0;
  #rounds = 0;
  #silences = 0;

  constructor(terms: Terms, request: FailoverRequest, spent: ReadonlySet<AccountId> = new Set()) {
    this.#terms = terms;
    this.#switchesMax = request.platform === "gemini" ? terms.switches_max_gemini : terms.switches_max;
    this.#silencesMax = request.stream ? STREAM_SILENCES_MAX : WHOLE_SILENCES_MAX;
    this.#spent = new Set(spent);
    for (const id of spent) this.failed.add(id);
  }

  /** Begins anew in another group, whose accounts may be some of those that were asked. */
  inGroup(terms: Terms, request: FailoverRequest): Failover {
    return new Failover(terms, request, this.#spent);
  }

  after(fault: Fault, account: FailedAccount): NextStep {
    if (fault.retry === "never" && !account.isBlamed) return { kind: "give-up" };
    if (!fault.isUnprocessed) this.#spent.add(account.id);
    if (isSilence(fault) && ++this.#silences > this.#silencesMax) return { kind: "give-up" };
    const repeats = this.#repeats.get(account.id) ?? 0;
    const delayMs = this.#delayMs(repeats);
    const mayHelp =
      account.asksAgain || fault.retry === "same-account" || (account.isOnly && isPassing(fault));
    const isAllowed = fault.isUnprocessed && !isTooSoon(fault, delayMs);
    if (mayHelp && isAllowed && repeats < this.#terms.same_account_retries) {
      this.#repeats.set(account.id, repeats + 1);
      return { kind: "repeat", delayMs };
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
    const delayMs = this.#delayMs(this.#rounds);
    const isLeft = [...this.failed].some((id) => !this.#spent.has(id));
    const hasRepeated = this.#repeats.size > 0 || isTooSoon(last, delayMs) || !isLeft;
    const isWorth = isPassing(last) && last.isUnprocessed && this.#switches <= this.#switchesMax;
    if (!isWorth || hasRepeated || this.#rounds >= this.#terms.same_account_retries) return undefined;
    this.#rounds++;
    this.failed.clear();
    for (const id of this.#spent) this.failed.add(id);
    return delayMs;
  }

  #delayMs(count: number): number {
    return Math.min(this.#terms.same_account_delay_ms * 2 ** count, DELAY_MS_MAX);
  }
}

function isPassing({ code }: Fault): boolean {
  return PASSING.has(code);
}

/** The upstream said nothing for as long as it was waited for. */
function isSilence({ code, upstream }: Fault): boolean {
  return code === "upstream.timeout" && upstream === undefined;
}

/** The upstream has named a time, and it is later. */
function isTooSoon({ retryAfterMs }: Fault, delayMs: number): boolean {
  return retryAfterMs !== undefined && retryAfterMs > delayMs;
}
