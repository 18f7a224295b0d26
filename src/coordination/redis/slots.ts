import type { HoldsAnswer } from "#coordination/holds.ts";
import type { Holder, Refusal, SlotAnswer, SlotRequest, SlotStatus, Slots } from "#coordination/slots.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Clock } from "#kernel/clock.ts";
import type { Lease } from "#kernel/lease.ts";
import type { HoldDraft, RedisHolds } from "./holds.ts";
import type { Argument, RedisLink } from "./link.ts";
import { holderName, type Membership } from "./membership.ts";
import type { NodeSlots, NodeVitals } from "./node.ts";
import type { RedisSessions } from "./sessions.ts";

/** What slots at Redis work with. */
export interface RedisSlotsParts {
  readonly link: RedisLink;
  readonly membership: Membership;
  /** The slots of this node alone: they know all that it holds, and decide while Redis cannot be asked. */
  readonly local: NodeSlots;
  readonly sessions: RedisSessions;
  readonly holds: Pick<RedisHolds, "draft" | "conclude" | "drop">;
  readonly vitals: Pick<NodeVitals, "noteWaiting">;
  /** How many nodes there were when that was last known. */
  readonly nodes: () => number;
  readonly clock: Pick<Clock, "monotonic">;
}

type EnterAnswer = readonly [state: string, waiting: number, bound: string, ...money: string[]];

/** One request for a slot under way. */
interface Ask {
  readonly request: SlotRequest;
  readonly startedAt: number;
  hasWaited: boolean;
}

/**
 * Slots in Redis: every node sees one truth, and lines are served in the order in which requests reach Redis.
 *
 * Every lease is also one of this node's own, so that the node knows what it holds. While Redis cannot be asked, a
 * limit falls to this node's share of it, those who wait move to a line of this node, and back when Redis answers.
 */
export class RedisSlots implements Slots {
  readonly #parts: RedisSlotsParts;
  /** Told when Redis answers again. */
  readonly #waitingHere = new Set<AbortController>();

  constructor(parts: RedisSlotsParts) {
    this.#parts = parts;
  }

  async acquire(request: SlotRequest): Promise<SlotAnswer> {
    const ask: Ask = { request, startedAt: this.#parts.clock.monotonic(), hasWaited: false };
    for (;;) {
      if (request.signal.aborted) return { granted: false, refusal: "gone", waiting: 0 };
      const answer = this.#parts.link.isUp ? await this.#acquireThere(ask) : await this.#acquireHere(ask);
      if (answer !== undefined) return answer;
    }
  }

  async tryAcquire(holder: Holder, limit: number): Promise<Lease | undefined> {
    const signal = NEVER.signal;
    const answer = await this.acquire({ holder, limit, waitersMax: 0, waitMsMax: 0, signal });
    return answer.granted ? answer.lease : undefined;
  }

  setLimit(holder: Holder, limit: number): void {
    this.#parts.membership.flush();
    this.#parts.link.tell("setLimit", holderName(holder), limit);
  }

  async status(holder: Holder): Promise<SlotStatus> {
    const { link, local, membership } = this.#parts;
    if (!link.isUp) return local.status(holder);
    membership.flush();
    const answer = (await link.ask("busyness", holderName(holder))) as readonly number[];
    const [inFlight = 0, waiting = 0, limit = 0, oldestWaitMs = 0] = answer;
    return { inFlight, waiting, limit, oldestWaitMs };
  }

  /** Redis answers again: whoever waits in this node's lines asks there. */
  returned(): void {
    for (const moving of this.#waitingHere) moving.abort();
  }

  /** Counts a lease as one of this node's own; undefined when it cannot note any more. */
  note(holder: Holder): Lease | undefined {
    return this.#parts.local.note(holder);
  }

  /** The right to what Redis has granted; undefined when this node cannot note any more leases. */
  leaseOf(lease: string, holder: Holder, early?: Lease): Lease | undefined {
    const { membership } = this.#parts;
    const noted = early ?? this.note(holder);
    if (noted === undefined) {
      membership.leave(lease);
      return undefined;
    }
    return membership.hold(lease, holder, noted);
  }

  /** Undefined: Redis was lost on the way. */
  async #acquireThere(ask: Ask): Promise<SlotAnswer | undefined> {
    const { link, membership, sessions, vitals } = this.#parts;
    const { holder, limit, waitersMax, conversation } = ask.request;
    membership.flush();
    const lease = membership.nextLease();
    const place = conversation === undefined ? "" : sessions.placeOf(conversation);
    const words: readonly Argument[] = [
      membership.member,
      lease,
      holderName(holder),
      limit,
      waitersMax,
      place,
    ];
    const draft = this.#draftOf(ask);
    let answer: EnterAnswer;
    try {
      answer = (await link.ask("enter", ...words, ...(draft?.words ?? []))) as EnterAnswer;
    } catch {
      this.#drop(lease, draft);
      return undefined;
    }
    if (answer[0] === "unknown") {
      this.#drop(lease, draft);
      link.forgotten();
      return undefined;
    }
    const [state, waiting, bound, ...figures] = answer;
    if (conversation !== undefined) sessions.foretell(conversation, bound);
    // Whoever chooses next must not join a line that is known to be full.
    if (holder.kind === "account") vitals.noteWaiting(holder.id as AccountId, waiting);
    if (state === "held") {
      const money = draft && this.#parts.holds.conclude(draft, figures);
      return this.#granted(lease, ask, money);
    }
    if (draft !== undefined) this.#parts.holds.drop(draft);
    if (state === "waiting") return await this.#stand(lease, ask, waiting);
    membership.forget(lease);
    return { granted: false, refusal: "queue-full", waiting };
  }

  /** The money that is asked for together with the slot. A request that has waited asks for it afterwards. */
  #draftOf({ request, hasWaited }: Ask): HoldDraft | undefined {
    const requests = hasWaited ? [] : (request.money?.() ?? []);
    return requests.length === 0 ? undefined : this.#parts.holds.draft(requests);
  }

  /** Nothing is known of what was asked for. */
  #drop(lease: string, draft: HoldDraft | undefined): void {
    this.#parts.membership.forget(lease);
    if (draft !== undefined) this.#parts.holds.drop(draft);
  }

  #granted(lease: string, { request, startedAt, hasWaited }: Ask, money?: HoldsAnswer): SlotAnswer {
    const { membership, clock } = this.#parts;
    const isGone = request.signal.aborted;
    if (isGone) membership.leave(lease);
    const held = isGone ? undefined : this.leaseOf(lease, request.holder);
    if (held === undefined) {
      if (money?.granted) for (const hold of money.holds) void hold.settle(0);
      return { granted: false, refusal: isGone ? "gone" : "capacity", waiting: 0 };
    }
    return { granted: true, lease: held, waitedMs: hasWaited ? clock.monotonic() - startedAt : 0, money };
  }

  /** Waits in a line at Redis. */
  async #stand(lease: string, ask: Ask, waiting: number): Promise<SlotAnswer | undefined> {
    const { membership } = this.#parts;
    const { signal } = ask.request;
    const { promise, resolve } = Promise.withResolvers<Refusal | "granted" | "lost">();
    const onAbort = (): void => resolve("gone");
    const timer = setTimeout(resolve, this.#leftMs(ask), "timeout");
    signal.addEventListener("abort", onAbort);
    membership.wait(lease, { granted: () => resolve("granted"), lost: () => resolve("lost") });
    this.#tellOfWait(ask);
    if (signal.aborted) resolve("gone");
    const outcome = await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    if (outcome === "granted") return this.#granted(lease, ask);
    membership.leave(lease);
    return outcome === "lost" ? undefined : { granted: false, refusal: outcome, waiting: waiting - 1 };
  }

  /** Decides within this node. Undefined: Redis answers again. */
  async #acquireHere(ask: Ask): Promise<SlotAnswer | undefined> {
    const { request } = ask;
    const { local, membership } = this.#parts;
    const moving = new AbortController();
    const onAbort = (): void => moving.abort();
    request.signal.addEventListener("abort", onAbort);
    this.#waitingHere.add(moving);
    const answer = await local.acquire({
      holder: request.holder,
      limit: request.limit === 0 ? 0 : shareOf(request.limit, this.#parts.nodes()),
      waitersMax: request.waitersMax,
      waitMsMax: this.#leftMs(ask),
      signal: moving.signal,
      onWait: () => this.#tellOfWait(ask),
    });
    this.#waitingHere.delete(moving);
    request.signal.removeEventListener("abort", onAbort);
    if (!answer.granted) return answer.refusal === "gone" && !request.signal.aborted ? undefined : answer;
    const lease = await membership.adopt(request.holder, request.limit, answer.lease);
    if (lease === undefined) return undefined;
    const waitedMs = ask.hasWaited ? this.#parts.clock.monotonic() - ask.startedAt : 0;
    return { granted: true, lease, waitedMs };
  }

  #leftMs({ request, startedAt }: Ask): number {
    return Math.max(0, request.waitMsMax - (this.#parts.clock.monotonic() - startedAt));
  }

  #tellOfWait(ask: Ask): void {
    if (!ask.hasWaited) ask.request.onWait?.();
    ask.hasWaited = true;
  }
}

/** What one of so many nodes may use of a limit while it cannot ask the others: an equal part, and at least one. */
export function shareOf(limit: number, nodes: number): number {
  return Math.max(1, Math.floor(limit / Math.max(1, nodes)));
}

const NEVER = new AbortController();
