import type { HoldRequest, Holds, HoldsAnswer, Purse, PurseBooks } from "#coordination/holds.ts";
import type { ApiKeyId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { Principal } from "#domain/principal.ts";
import type { RuntimeSettings } from "#domain/settings.ts";
import type { TokenUsage } from "#domain/usage-record.ts";
import type { Clock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";
import { estimateNanos } from "./hold-estimate.ts";
import type { ExhaustionPolicy } from "./hold-growth.ts";
import { HoldLine, type HoldTry } from "./hold-line.ts";
import { OutputHistory } from "./hold-outputs.ts";
import { booksOf, costsOfLines, pursesOf } from "./hold-purses.ts";
import {
  askedOf,
  type RequestHold,
  type RequestHoldAnswer,
  type RequestHoldParts,
  requestHoldOf,
  settleAll,
  takeRequestHold,
} from "./hold-request.ts";
import { unaffordableFault } from "./limit-fault.ts";
import type { ModelPrice } from "./prices.ts";
import { balanceLimit, keyLimits, type SpendLimit, subscriptionLimits } from "./spend-limits.ts";

/** When a client that was refused for too many holds may come again, in milliseconds. */
const FULL_RETRY_MS = 1_000;
const NANOS_PER_USD = 1_000_000_000;

/** What books are read from. */
type PurseFacts = Pick<
  Snapshot,
  | "user"
  | "group"
  | "apiKey"
  | "subscriptionById"
  | "keyRevision"
  | "subscriptionRevision"
  | "quotaUsedNanos"
  | "keyWindow"
  | "subscriptionWindow"
>;

/** What a {@link HoldDesk} works with. */
export interface HoldDeskParts {
  readonly holds: Pick<Holds, "takeAll" | "booked" | "recount">;
  readonly facts: PurseFacts;
  readonly settings: () => RuntimeSettings;
  readonly clock: Pick<Clock, "now">;
  /** Longest wait for money that other requests have set aside, in milliseconds. */
  readonly waitMsMax: number;
}

/** Whose money a request is paid with first of all. */
interface PayerParts {
  readonly purses: readonly [payer: Purse, key: Purse];
}

/** A request that is to be paid for. */
export interface HoldAsk {
  readonly requestId: string;
  readonly principal: Pick<Principal, "userId" | "apiKeyId" | "rateMultiplierNanos">;
  readonly subscriptionId: SubscriptionId | undefined;
  readonly model: string;
  readonly price: ModelPrice;
  readonly bodyBytes: number;
  /** 0: the client named no limit. */
  readonly maxTokens: number;
  /** Aborts when the client leaves. */
  readonly signal: AbortSignal;
}

/**
 * Sets money aside for requests before they are sent, and lets go of costs as they are booked. One instance per
 * thread; only where requests are billed.
 */
export class HoldDesk {
  readonly #parts: HoldDeskParts;
  readonly #outputs = new OutputHistory();
  readonly #line = new HoldLine();

  constructor(parts: HoldDeskParts) {
    this.#parts = parts;
  }

  /**
   * Sets aside what the request may cost, in everything that it counts against. Answers at once where the holds
   * are in this process and the money is there. Money that other requests have set aside is waited for, in line;
   * a request that is alone gets what is left, however little. `advance` is what came of what {@link foresee} said
   * of the same request.
   *
   * @throws Fault `billing.balance_exhausted`, `billing.quota_reached`, `billing.window_reached`,
   * `billing.subscription_limit` when nothing is left, or not enough came back in time; `billing.holds_full`,
   * `admit.client_gone`.
   */
  take(ask: HoldAsk, advance?: HoldsAnswer): RequestHold | Promise<RequestHold> {
    const parts = this.#holdPartsOf(ask);
    const amountNanos = this.#estimate(ask);
    const tried = this.#firstTry(parts, amountNanos, advance);
    if (tried instanceof Promise) return this.#concludeLater(tried, ask, parts, amountNanos);
    return tried.kind === "granted" ? tried.hold : this.#conclude(tried, ask, parts, amountNanos);
  }

  async #concludeLater(
    tried: Promise<HoldTry>,
    ask: HoldAsk,
    parts: RequestHoldParts & PayerParts,
    amountNanos: number,
  ): Promise<RequestHold> {
    return this.#conclude(await tried, ask, parts, amountNanos);
  }

  /**
   * What {@link take} will ask of the purses first, for those who ask for it together with something else; none when
   * others wait for the same money.
   */
  foresee(ask: HoldAsk): readonly HoldRequest[] {
    const parts = this.#holdPartsOf(ask);
    const amountNanos = this.#estimate(ask);
    return this.#isBehind(parts.purses[0], amountNanos) ? [] : askedOf(parts, amountNanos);
  }

  /** Lets go of money that was set aside and is not needed. */
  giveBack(advance: HoldsAnswer | undefined): void {
    if (advance?.granted) settleAll(advance.holds, 0);
  }

  /** An answer has come whole: the next one of this key and model may be as long. */
  noteAnswer(key: ApiKeyId, model: string, { outputTokens }: TokenUsage): void {
    this.#outputs.add(key, model, outputTokens);
  }

  /** What these records cost is booked, or will never be, and the snapshot knows what the books say since. */
  booked(lines: readonly string[]): void {
    for (const cost of costsOfLines(lines)) void this.#parts.holds.booked(cost, this.#booksOf(cost.purse));
  }

  /** These records are all that this thread answers for: to be told before it takes the first hold. */
  recount(lines: Iterable<string>): void | Promise<void> {
    return this.#parts.holds.recount(costsOfLines(lines));
  }

  #estimate({ principal, model, price, bodyBytes, maxTokens }: HoldAsk): number {
    return estimateNanos({
      price,
      multiplierNanos: principal.rateMultiplierNanos,
      bodyBytes,
      maxTokens: maxTokens > 0 ? maxTokens : undefined,
      recentOutputTokens95: this.#outputs.percentile95(principal.apiKeyId, model),
      firstGuessTokens: this.#parts.settings().hold_first_guess_tokens,
    });
  }

  #holdPartsOf({ requestId, principal, subscriptionId }: HoldAsk): RequestHoldParts & PayerParts {
    const { holds, clock } = this.#parts;
    const { userId, apiKeyId } = principal;
    const purses = pursesOf({ userId, apiKeyId, subscriptionId });
    return {
      holds,
      clock,
      requestId,
      purses,
      booksOf: this.#booksOf,
      policy: this.#policy,
      onSettled: this.#onSettled,
    };
  }

  readonly #onSettled = ([payer]: readonly Purse[]): void => {
    if (payer !== undefined) this.#line.givenBack(payer);
  };

  #firstTry(
    parts: RequestHoldParts & PayerParts,
    amountNanos: number,
    advance: HoldsAnswer | undefined,
  ): HoldTry | Promise<HoldTry> {
    if (advance !== undefined) {
      if (isFor(advance, parts.purses, amountNanos)) {
        return this.#read(requestHoldOf(parts, advance), parts, amountNanos);
      }
      this.giveBack(advance);
    }
    const [payer] = parts.purses;
    return this.#isBehind(payer, amountNanos)
      ? this.#behind(payer, amountNanos)
      : this.#try(parts, amountNanos);
  }

  /** Whether others wait for the same money. A free request needs nobody's. */
  #isBehind(payer: Purse, amountNanos: number): boolean {
    return amountNanos > 0 && this.#line.hasWaiters(payer);
  }

  #conclude(
    tried: HoldTry,
    { signal }: HoldAsk,
    parts: RequestHoldParts & PayerParts,
    amountNanos: number,
  ): RequestHold | Promise<RequestHold> {
    if (tried.kind === "granted") return tried.hold;
    const { fault } = tried;
    if (tried.kind === "refused") throw fault;
    const { waitMsMax } = this.#parts;
    const attempt = (): HoldTry | Promise<HoldTry> => this.#try(parts, amountNanos);
    return this.#line.wait(parts.purses[0], { attempt, fault, waitMsMax, signal });
  }

  #try(parts: RequestHoldParts, amountNanos: number): HoldTry | Promise<HoldTry> {
    const asked = takeRequestHold(parts, amountNanos);
    return asked instanceof Promise
      ? this.#readLater(asked, parts, amountNanos)
      : this.#read(asked, parts, amountNanos);
  }

  async #readLater(
    asked: Promise<RequestHoldAnswer>,
    parts: RequestHoldParts,
    amountNanos: number,
  ): Promise<HoldTry> {
    let answer: RequestHoldAnswer;
    try {
      answer = await asked;
    } catch (thrown) {
      // Whoever cannot be asked has set nothing aside.
      return { kind: "refused", fault: Fault.from(thrown) };
    }
    return this.#read(answer, parts, amountNanos);
  }

  #read(answer: RequestHoldAnswer, parts: RequestHoldParts, amountNanos: number): HoldTry | Promise<HoldTry> {
    if (answer.granted) return { kind: "granted", hold: answer.hold };
    const { purse, refusal, freeNanos, heldNanos } = answer;
    if (refusal === "capacity") {
      return { kind: "refused", fault: new Fault("billing.holds_full", { retryAfterMs: FULL_RETRY_MS }) };
    }
    if (heldNanos > 0) return { kind: "later", fault: this.#unaffordable(purse, amountNanos, freeNanos) };
    // Smaller each time, and what is left must then suffice, so this ends.
    if (freeNanos > 0) return this.#try(parts, Math.floor(freeNanos));
    return { kind: "refused", fault: this.#unaffordable(purse, amountNanos, freeNanos) };
  }

  #behind(payer: Purse, amountNanos: number): HoldTry {
    return { kind: "later", fault: this.#unaffordable(payer, amountNanos, 0) };
  }

  #unaffordable(purse: Purse, amountNanos: number, freeNanos: number): Fault {
    const nowMs = this.#parts.clock.now();
    return unaffordableFault({ limits: this.#limitsOf(purse), amountNanos, freeNanos, nowMs });
  }

  readonly #policy = (): ExhaustionPolicy => {
    const { on_exhausted: onExhausted, overdraft_usd: overdraftUsd } = this.#parts.settings();
    return { onExhausted, overdraftNanos: Math.round(overdraftUsd * NANOS_PER_USD) };
  };

  readonly #booksOf = (purse: Purse): PurseBooks => booksOf(this.#limitsOf(purse), this.#revisionOf(purse));

  /** All the limits that the purse itself has, whoever asks. */
  #limitsOf({ kind, id }: Purse): readonly SpendLimit[] {
    const { facts, clock } = this.#parts;
    if (kind === "user") return [balanceLimit({ userId: id as UserId }, facts)];
    const nowMs = clock.now();
    if (kind === "key") return keyLimits({ apiKeyId: id as ApiKeyId }, nowMs, facts);
    const subscription = facts.subscriptionById(id as SubscriptionId);
    const group = subscription && facts.group(subscription.groupId);
    if (subscription === undefined || group === undefined) return [];
    return subscriptionLimits(subscription, group, nowMs, facts);
  }

  #revisionOf({ kind, id }: Purse): number {
    const { facts } = this.#parts;
    if (kind === "user") return facts.user(id as UserId)?.revision ?? 0;
    if (kind === "key") return facts.keyRevision(id as ApiKeyId);
    return facts.subscriptionRevision(id as SubscriptionId);
  }
}

/** Whether what was set aside is what is wanted now: prices and rates may have changed meanwhile. */
function isFor(advance: HoldsAnswer, purses: readonly Purse[], amountNanos: number): boolean {
  if (!advance.granted) return purses[advance.index] !== undefined;
  return advance.holds.every(
    ({ purse, amountNanos: heldNanos }, index) =>
      purse.kind === purses[index]?.kind && purse.id === purses[index]?.id && heldNanos === amountNanos,
  );
}
