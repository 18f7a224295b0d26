import type {
  Hold,
  HoldAnswer,
  HoldGrowth,
  HoldRequest,
  Holds,
  HoldsAnswer,
  NodeHold,
  Purse,
  PurseBooks,
  PurseCost,
  PurseStatus,
} from "#coordination/holds.ts";
import { assert } from "#kernel/assert.ts";
import type { Clock } from "#kernel/clock.ts";
import { RedisHold } from "./hold.ts";
import type { Argument, RedisLink } from "./link.ts";
import type { Membership } from "./membership.ts";
import type { NodeHolds } from "./node.ts";
import { GRANTED, OtherNodesMoney } from "./other-nodes-money.ts";
import { purseName, wordsOf } from "./purse-words.ts";

/** How often a thread looks for holds of its own that have ended, in milliseconds. */
const SWEEP_MS = 1_000;
/** Longest wait for a Redis that is there and only has to be told what it has forgotten, in milliseconds. */
const RETURN_MS_MAX = 2_000;
/** Requests for money that Redis is asked about, and what each hold will be called. */
export interface HoldDraft {
  readonly requests: readonly HoldRequest[];
  readonly leases: readonly string[];
  /** What Redis is told of them. */
  readonly words: readonly Argument[];
}

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
  readonly #others: OtherNodesMoney;
  #sweepAtMs = 0;

  constructor(parts: RedisHoldsParts) {
    this.#parts = parts;
    this.#others = new OtherNodesMoney(parts.local, parts.nodes);
  }

  async take(request: HoldRequest): Promise<HoldAnswer> {
    const answer = await this.takeAll([request]);
    if (!answer.granted) {
      const { index: _, ...refused } = answer;
      return refused;
    }
    const [hold] = answer.holds;
    assert(hold, "a purse that has given has given a hold");
    return { granted: true, hold };
  }

  async takeAll(requests: readonly HoldRequest[]): Promise<HoldsAnswer> {
    const { link, membership } = this.#parts;
    if (!link.isUp) return await this.#takeHere(requests);
    const draft = this.draft(requests);
    try {
      const words = [membership.member, "", ...draft.words] as const;
      const answer = (await link.ask("setAside", ...words)) as readonly string[];
      if (answer[0] !== "unknown") return this.conclude(draft, answer);
      link.forgotten();
    } catch {
      // The link is down then.
    }
    this.drop(draft);
    return await this.#takeHere(requests);
  }

  /** Prepares a question to Redis, which is to be concluded with its answer, or dropped. */
  draft(requests: readonly HoldRequest[]): HoldDraft {
    const { membership, clock } = this.#parts;
    this.#sweep(clock.now());
    const leases = requests.map(() => membership.nextLease());
    return { requests, leases, words: this.#words(requests, leases) };
  }

  #words(asked: readonly Omit<HoldRequest, "requestId">[], leases: readonly string[]): readonly Argument[] {
    const nowMs = this.#parts.clock.now();
    return asked.flatMap(({ purse, amountNanos, books, expiresAtMs }, index) => {
      checkAmount(amountNanos);
      const lastsMs = Math.max(0, expiresAtMs - nowMs);
      return [leases[index] ?? "", purseName(purse), amountNanos, ...wordsOf(books), lastsMs];
    });
  }

  /** Notes what Redis has said about a draft. */
  conclude(draft: HoldDraft, [verdict, place, ...figures]: readonly string[]): HoldsAnswer {
    if (verdict === "held") return this.#noted(draft, figures);
    this.drop(draft);
    return this.#refused(draft.requests, [place ?? "", ...figures]);
  }

  #refused(requests: readonly HoldRequest[], said: readonly string[]): Refusal {
    const [place, free, held, unbooked] = said.map(Number) as [number, number, number, number];
    const index = place - 1;
    const purse = requests[index]?.purse;
    if (purse !== undefined) this.#others.note(purse, held + unbooked);
    return { granted: false, refusal: "unaffordable", index, freeNanos: free, heldNanos: held };
  }

  /** Redis was not asked, or has not said anything. */
  drop({ leases }: HoldDraft): void {
    for (const lease of leases) this.#parts.membership.forget(lease);
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
      const words = [moreNanos, ...wordsOf(books), overdraft, lastsMs] as const;
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

  #noted({ requests, leases }: HoldDraft, figures: readonly string[]): HoldsAnswer {
    const holds: Hold[] = [];
    for (const [index, request] of requests.entries()) {
      const noted = this.#parts.local.take(request, GRANTED);
      if (!noted.granted) {
        settleNone(holds);
        for (const lease of leases.slice(index)) this.#parts.membership.leave(lease);
        return { ...noted, index };
      }
      const [, held, unbooked] = figures.slice(3 * index).map(Number) as [number, number, number];
      this.#others.note(request.purse, held + unbooked);
      holds.push(this.#opened(leases[index] ?? "", noted.hold));
    }
    return { granted: true, holds };
  }

  #opened(lease: string, local: NodeHold): RedisHold {
    const hold = new RedisHold(this, lease, local);
    this.#open.set(lease, hold);
    return hold;
  }

  /** Sets this node's share aside. */
  async #takeHere(requests: readonly HoldRequest[]): Promise<HoldsAnswer> {
    const { link } = this.#parts;
    const isKnown = requests.every(({ purse, amountNanos, books }) =>
      this.#others.termsFor(purse, amountNanos, books),
    );
    // Redis is there, and will soon say what others have.
    if (!isKnown && (await link.returns(RETURN_MS_MAX))) return await this.takeAll(requests);
    const holds: RedisHold[] = [];
    for (const [index, request] of requests.entries()) {
      const answer = this.#takeOneHere(request);
      if (!answer.granted) {
        settleNone(holds);
        return { ...answer, index };
      }
      holds.push(this.#opened(this.#parts.membership.nextLease(), answer.hold));
    }
    const refusal = await this.#refusalOf(requests, holds);
    if (refusal === undefined) return { granted: true, holds };
    settleNone(holds);
    return refusal;
  }

  #takeOneHere(request: HoldRequest): ReturnType<NodeHolds["take"]> {
    checkAmount(request.amountNanos);
    const terms = this.#others.termsFor(request.purse, request.amountNanos, request.books);
    if (terms === undefined) return { granted: false, refusal: "capacity", freeNanos: 0, heldNanos: 0 };
    return this.#parts.local.take(request, terms);
  }

  /** Why a share that this node has set aside may not be; undefined where Redis agrees, or will be told later. */
  async #refusalOf(
    requests: readonly HoldRequest[],
    holds: readonly RedisHold[],
  ): Promise<Refusal | undefined> {
    const { link, membership } = this.#parts;
    if (!link.canBeTold) return undefined;
    const leases = holds.map(({ lease }) => lease);
    const words = [membership.member, "share", ...this.#words(requests, leases)] as const;
    try {
      const [verdict, ...said] = (await link.askReturning("setAside", ...words)) as readonly string[];
      if (verdict === "unknown") link.forgotten();
      return verdict === "unaffordable" ? this.#refused(requests, said) : undefined;
    } catch {
      return undefined;
    }
  }

  #extendHere({ local, lease, purse }: RedisHold, growth: HoldGrowth): boolean {
    const { link, membership } = this.#parts;
    const terms = this.#others.termsFor(purse, growth.moreNanos, growth.books);
    if (terms === undefined || !local.extend(growth, terms)) return false;
    const { amountNanos, expiresAtMs } = local;
    const words = this.#words([{ purse, amountNanos, expiresAtMs, books: growth.books }], [lease]);
    link.tell("setAside", membership.member, "done", ...words);
    return true;
  }

  #answerFor(purse: Purse, lease: string, books?: PurseBooks): void {
    const { link, local, membership, owners } = this.#parts;
    const stamp = [membership.member, membership.number] as const;
    const shown = books === undefined ? ["", 0] : wordsOf(books);
    // While Redis cannot be asked this is not said: all of it is restated when it returns.
    link.tell("accountFor", owners[0], purseName(purse), local.shareOf(purse), ...shown, lease, ...stamp);
  }
}

type Refusal = Exclude<HoldsAnswer, { granted: true }>;

/** Lets go of holds that nothing was used of. */
function settleNone(holds: readonly Hold[]): void {
  for (const hold of holds) void hold.settle(0);
}

function checkAmount(nanos: number): void {
  assert(
    Number.isSafeInteger(nanos) && nanos >= 0,
    "an amount is a whole number of nano-dollars, and not negative",
  );
}
