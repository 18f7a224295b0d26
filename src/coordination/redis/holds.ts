import type {
  Hold,
  HoldAnswer,
  HoldGrowth,
  HoldRequest,
  Holds,
  HoldTerms,
  NodeHold,
  Purse,
  PurseBooks,
  PurseCost,
  PurseStatus,
} from "#coordination/holds.ts";
import { assert } from "#kernel/assert.ts";
import type { Clock } from "#kernel/clock.ts";
import { type Lease, leaseOf } from "#kernel/lease.ts";
import { type EarlyAsk, EarlyHolds } from "./early-holds.ts";
import type { Argument, RedisLink } from "./link.ts";
import type { Membership } from "./membership.ts";
import type { NodeHolds } from "./node.ts";
import { booksWords, purseName } from "./purse-words.ts";

/** Purses of which it is remembered what other nodes have; the one that was heard of longest ago is forgotten first. */
const OTHERS_MAX = 100_000;
/** How often a thread looks for holds of its own that have ended, in milliseconds. */
const SWEEP_MS = 1_000;
/** Redis has granted it, so this node only notes it. */
const GRANTED: HoldTerms = { othersNanos: Number.NEGATIVE_INFINITY, sharers: 1 };

/** What holds at Redis work with. */
export interface RedisHoldsParts {
  readonly link: RedisLink;
  readonly membership: Membership;
  /** This node's own: they know all that it holds, and decide while Redis cannot be asked. */
  readonly local: NodeHolds;
  /** Who this thread answers for costs as, whatever life it is in; first its own name, then those it has taken over. */
  readonly owners: readonly [string, ...string[]];
  readonly nodes: () => number;
  readonly clock: Pick<Clock, "now">;
}

/**
 * Holds in Redis: every node sees one truth. What a thread answers for is always said as a whole number, never as a
 * difference, so that saying it twice or late does no harm.
 *
 * Every hold is also one of this node's own. While Redis cannot be asked, a node sets aside what is left by what Redis
 * said last, divided by the number of nodes; of a purse that Redis has said nothing about it sets aside nothing.
 */
export class RedisHolds implements Holds {
  readonly #parts: RedisHoldsParts;
  readonly #open = new Map<string, RedisHold>();
  readonly #early = new EarlyHolds();
  readonly #others = new Map<string, number>();
  #sweepAtMs = 0;

  constructor(parts: RedisHoldsParts) {
    this.#parts = parts;
  }

  take(request: HoldRequest): HoldAnswer | Promise<HoldAnswer> {
    checkAmount(request.amountNanos);
    this.#sweep(this.#parts.clock.now());
    const early = this.#early.take(request);
    if (early !== undefined) return { granted: true, hold: early };
    return this.#parts.link.isUp ? this.#takeThere(request) : this.#takeHere(request);
  }

  async #takeThere(request: HoldRequest): Promise<HoldAnswer> {
    const { link, membership } = this.#parts;
    const lease = membership.nextLease();
    try {
      const words = this.earlyWords({ lease, request });
      const answer = (await link.ask("setAside", membership.member, ...words)) as readonly string[];
      if (answer[0] === "unknown") {
        membership.forget(lease);
        await membership.rejoin();
        return await this.take(request);
      }
      return this.#noted(lease, request, answer);
    } catch {
      membership.forget(lease);
      return this.#takeHere(request);
    }
  }

  /** Prepares these asks for going along with something else that Redis is asked. */
  prepare(requests: readonly HoldRequest[]): readonly EarlyAsk[] {
    return requests.map((request) => {
      checkAmount(request.amountNanos);
      return { lease: this.#parts.membership.nextLease(), request };
    });
  }

  /** What Redis is told of an ask: its lease, purse, amount, books, and for how long it lasts. */
  earlyWords({ lease, request }: EarlyAsk): readonly Argument[] {
    const { purse, amountNanos, books, expiresAtMs } = request;
    const lastsMs = Math.max(0, expiresAtMs - this.#parts.clock.now());
    return [lease, purseName(purse), amountNanos, ...booksWords(books), lastsMs];
  }

  /** Nothing was set aside for these asks. */
  forgetEarly(asks: readonly EarlyAsk[]): void {
    for (const { lease } of asks) this.#parts.membership.forget(lease);
  }

  /**
   * Money was set aside for all of these asks; `sums` has of each purse what is held and what is not booked. Whoever
   * asks next has it at once; what nobody has asked for goes back with the lease.
   */
  keepEarly(asks: readonly EarlyAsk[], sums: readonly string[]): Lease {
    for (const [index, { lease, request }] of asks.entries()) {
      const [held = "0", unbooked = "0"] = sums.slice(2 * index);
      const noted = this.#noted(lease, request, ["held", "0", held, unbooked]);
      if (noted.granted) this.#early.keep(noted.hold);
    }
    return leaseOf(() => {
      for (const ask of asks) this.#early.giveBack(ask);
    });
  }

  booked({ purse, costNanos }: PurseCost, books: PurseBooks): void {
    this.#parts.local.booked({ purse, costNanos }, books);
    this.#answerFor(purse, "", books);
  }

  async recount(costs: Iterable<PurseCost>): Promise<void> {
    this.#parts.local.recount(costs);
    if (this.#parts.link.isUp) await this.restate(this.#parts.link).catch(() => undefined);
  }

  async status(purse: Purse): Promise<PurseStatus> {
    const { link, local, membership } = this.#parts;
    if (!link.isUp) return local.status(purse);
    membership.flush();
    const [held, unbooked] = (await link.ask("purseStatus", purseName(purse))) as readonly string[];
    return { heldNanos: Number(held), unbookedNanos: Number(unbooked) };
  }

  /** Makes Redis know exactly what this thread holds and answers for. */
  async restate(link: RedisLink): Promise<void> {
    const { local, owners, clock } = this.#parts;
    const costs = local.costs().flatMap(({ purse, costNanos }) => [purseName(purse), costNanos]);
    const nowMs = clock.now();
    const holds = [...this.#open].flatMap(([lease, { purse, amountNanos, expiresAtMs }]) => [
      lease,
      purseName(purse),
      amountNanos,
      Math.max(0, expiresAtMs - nowMs),
    ]);
    await link.askReturning("restate", owners.length, ...owners, costs.length / 2, ...costs, ...holds);
  }

  /** Makes one of this thread's holds larger; called by the hold. */
  async extend(hold: RedisHold, growth: HoldGrowth): Promise<boolean> {
    const { link, clock } = this.#parts;
    const { moreNanos, books, overdraftNanos, expiresAtMs } = growth;
    checkAmount(moreNanos);
    if (!link.isUp) return this.#extendHere(hold, growth);
    try {
      const overdraft = Number.isFinite(overdraftNanos) ? overdraftNanos : "inf";
      const lastsMs = Math.max(0, expiresAtMs - clock.now());
      const words = [moreNanos, ...booksWords(books), overdraft, lastsMs] as const;
      const hasGrown = (await link.ask("grow", hold.lease, purseName(hold.purse), ...words)) === 1;
      return hasGrown && hold.local.extend(growth, GRANTED);
    } catch {
      return this.#extendHere(hold, growth);
    }
  }

  /** Ends one of this thread's holds; called by the hold, once. */
  settle({ lease, local, purse }: RedisHold, costNanos: number): void {
    checkAmount(costNanos);
    local.settle(costNanos);
    this.#open.delete(lease);
    this.#parts.membership.forget(lease);
    this.#answerFor(purse, lease);
  }

  /** Lets go of holds that have ended and that nobody has settled. */
  #sweep(nowMs: number): void {
    if (nowMs < this.#sweepAtMs) return;
    this.#sweepAtMs = nowMs + SWEEP_MS;
    for (const [lease, { expiresAtMs }] of this.#open) {
      if (nowMs < expiresAtMs) continue;
      this.#open.delete(lease);
      this.#parts.membership.leave(lease);
    }
  }

  #noted(lease: string, request: HoldRequest, answer: readonly string[]): HoldAnswer {
    const { membership, local } = this.#parts;
    const [verdict, free, held, unbooked, returning] = answer;
    if (verdict !== "held") {
      membership.forget(lease);
      this.#noteOthers(request.purse, Number(held) + Number(unbooked));
      return {
        granted: false,
        refusal: "unaffordable",
        freeNanos: Number(free),
        heldNanos: Number(returning),
      };
    }
    const noted = local.take(request, GRANTED);
    if (!noted.granted) {
      membership.leave(lease);
      return noted;
    }
    this.#noteOthers(request.purse, Number(held) + Number(unbooked));
    return { granted: true, hold: this.#opened(lease, noted.hold) };
  }

  #opened(lease: string, local: NodeHold): Hold {
    const hold = new RedisHold(this, lease, local);
    this.#open.set(lease, hold);
    return hold;
  }

  #takeHere(request: HoldRequest): HoldAnswer {
    const terms = this.#termsFor(request.purse, request.amountNanos, request.books);
    if (terms === undefined) return { granted: false, refusal: "capacity", freeNanos: 0, heldNanos: 0 };
    const answer = this.#parts.local.take(request, terms);
    if (!answer.granted) return answer;
    return { granted: true, hold: this.#opened(this.#parts.membership.nextLease(), answer.hold) };
  }

  #extendHere({ local, purse }: RedisHold, growth: HoldGrowth): boolean {
    const terms = this.#termsFor(purse, growth.moreNanos, growth.books);
    return terms !== undefined && local.extend(growth, terms);
  }

  /** What this node goes by while Redis cannot be asked; undefined when it does not know what others have. */
  #termsFor(purse: Purse, amountNanos: number, { availableNanos }: PurseBooks): HoldTerms | undefined {
    if (amountNanos === 0 || !Number.isFinite(availableNanos)) return GRANTED;
    const othersNanos = this.#others.get(purseName(purse));
    return othersNanos === undefined ? undefined : { othersNanos, sharers: this.#parts.nodes() };
  }

  #noteOthers(purse: Purse, allNanos: number): void {
    const { heldNanos, unbookedNanos } = this.#parts.local.status(purse);
    const name = purseName(purse);
    this.#others.delete(name);
    const [oldest] = this.#others.keys();
    if (oldest !== undefined && this.#others.size >= OTHERS_MAX) this.#others.delete(oldest);
    this.#others.set(name, Math.max(0, allNanos - heldNanos - unbookedNanos));
  }

  #answerFor(purse: Purse, lease: string, books?: PurseBooks): void {
    const { link, local, owners } = this.#parts;
    const shown = books === undefined ? ["", 0] : booksWords(books);
    // While Redis cannot be asked this is not said: all of it is restated when it returns.
    link.tell("accountFor", owners[0], purseName(purse), local.shareOf(purse), ...shown, lease);
  }
}

/** A hold of this thread. */
class RedisHold implements Hold {
  readonly lease: string;
  readonly local: NodeHold;
  readonly #holds: RedisHolds;
  #isSettled = false;

  constructor(holds: RedisHolds, lease: string, local: NodeHold) {
    this.#holds = holds;
    this.lease = lease;
    this.local = local;
  }

  get requestId(): string {
    return this.local.requestId;
  }

  get purse(): Purse {
    return this.local.purse;
  }

  get amountNanos(): number {
    return this.local.amountNanos;
  }

  get expiresAtMs(): number {
    return this.local.expiresAtMs;
  }

  async extend(growth: HoldGrowth): Promise<boolean> {
    return !this.#isSettled && (await this.#holds.extend(this, growth));
  }

  settle(costNanos: number): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#holds.settle(this, costNanos);
  }
}

function checkAmount(nanos: number): void {
  assert(
    Number.isSafeInteger(nanos) && nanos >= 0,
    "an amount is a whole number of nano-dollars, and not negative",
  );
}
