import type { Holder } from "#coordination/slots.ts";
import { type Lease, leaseOf } from "#kernel/lease.ts";
import type { Log } from "#kernel/log.ts";
import { BEAT_MS, CALL, SETTLED } from "./keys.ts";
import type { Argument, RedisLink } from "./link.ts";

/** How often those who wait look whether they have missed their call, in milliseconds. */
const RECHECK_MS = 1_000;
/** How often it is asked whether all have said what they hold, behind the call that says so, in milliseconds. */
const SETTLED_CHECK_MS = 250;

/** How Redis calls the kinds of holders. */
const KIND = { user: "u", account: "a", turn: "t" } as const;

/** How Redis calls a holder. */
export function holderName({ kind, id }: Holder): string {
  return `${KIND[kind]}${id}`;
}

/** One that waits in a line at Redis. */
export interface Waiter {
  /** It has its slot. */
  readonly granted: () => void;
  /** Redis does not know of it any more, or cannot be asked: it has to ask again. */
  readonly lost: () => void;
}

/** A lease that is held: whose slot it is, as Redis calls it, and what it is in this node. */
interface HeldLease {
  readonly holder: string;
  readonly local: Lease;
}

/** What a membership is made of. */
export interface MembershipParts {
  /** Unique to this thread's life; without `/`. */
  readonly member: string;
  readonly log: Log;
  /** Whether this thread has served before Redis could be asked. */
  readonly hasServed: boolean;
  /** Answers when Redis knows of the money that this thread holds and answers for. */
  readonly restate: (link: RedisLink) => Promise<void>;
  /** Answers when this thread knows what it has missed. */
  readonly catchUp: (link: RedisLink) => Promise<void>;
}

/**
 * This thread as one of those that share Redis: its sign of life and its leases, held and asked for. Redis is told of
 * all of them whenever it may not know: after it could not be asked, after it has forgotten, and when the count differs.
 */
export class Membership {
  readonly member: string;
  readonly #parts: MembershipParts;
  readonly #held = new Map<string, HeldLease>();
  /** What was asked for and not answered. */
  readonly #asked = new Set<string>();
  readonly #waiters = new Map<string, Waiter>();
  /** Called before they were known to wait: the two connections do not keep each other's order. */
  readonly #early = new Set<string>();
  #leaving: string[] = [];
  #link: RedisLink | undefined;
  #timers: readonly ReturnType<typeof setInterval>[] = [];
  #sequence = 0;
  #wasKnown = false;
  /** Redis has been told all, on this connection: only then a sign of life says so. */
  #hasJoined = false;
  #members = 1;
  #settled = Promise.withResolvers<void>();
  #differs = 0;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
    this.member = parts.member;
  }

  /** Begins to say that this thread lives. */
  attach(link: RedisLink): void {
    this.#link = link;
    this.#timers = [
      setInterval(() => void this.#beat(), BEAT_MS),
      setInterval(() => void this.#recheck(), RECHECK_MS),
    ];
  }

  detach(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** A name for a lease that is about to be asked for. */
  nextLease(): string {
    const lease = `${this.member}/${(this.#sequence++).toString(36)}`;
    this.#asked.add(lease);
    return lease;
  }

  /** A lease that was asked for is not held and does not wait; Redis has been told, or has said so itself. */
  forget(lease: string): void {
    this.#asked.delete(lease);
    this.#waiters.delete(lease);
    this.#early.delete(lease);
  }

  /** A lease is held, by Redis' word; `local` is what it is in this node. Gives what both are given back with. */
  hold(lease: string, holder: Holder, local: Lease): Lease {
    this.forget(lease);
    this.#held.set(lease, { holder: holderName(holder), local });
    return leaseOf(() => this.#release(lease));
  }

  /** How many members there were when that was last known. */
  noteMembers(count: number): void {
    this.#members = count;
  }

  /** What is said from now on has this number, or a higher one. */
  get number(): string {
    return this.#sequence.toString(36);
  }

  /**
   * A lease that this node has granted out of its share, because Redis could not be asked. Redis is told of it when it
   * returns. If it is there already, it has to agree; undefined, and the slot is given back, when it does not.
   */
  async adopt(holder: Holder, limit: number, local: Lease): Promise<Lease | undefined> {
    const name = this.nextLease();
    const lease = this.hold(name, holder, local);
    const link = this.#link;
    if (!link?.canBeTold) return lease;
    try {
      const verdict = await link.askReturning("adopt", this.member, name, holderName(holder), limit);
      if (verdict === "unknown") link.forgotten();
      if (verdict !== "full") return lease;
      lease.release();
      return undefined;
    } catch {
      return lease;
    }
  }

  #release(lease: string): void {
    const held = this.#held.get(lease);
    if (held === undefined) return;
    this.#held.delete(lease);
    held.local.release();
    this.leave(lease);
  }

  /** Tells Redis that a lease is not wanted any more; together with all others of the same moment. */
  leave(lease: string): void {
    this.forget(lease);
    this.#leaving.push(lease);
    if (this.#leaving.length === 1) queueMicrotask(() => this.flush());
  }

  /** Says at once what leases are not wanted any more, before something that has to come after it. */
  flush(): void {
    if (this.#leaving.length === 0) return;
    const leaving = this.#leaving;
    this.#leaving = [];
    // While Redis cannot be asked this is not said: the next join says what is left.
    this.#link?.tell("leave", this.member, ...leaving);
  }

  /** Stands by until a lease's turn comes. */
  wait(lease: string, waiter: Waiter): void {
    this.#waiters.set(lease, waiter);
    if (this.#early.has(lease)) waiter.granted();
  }

  /** Redis says something. */
  heard(message: string, isToAll: boolean): void {
    if (isToAll) {
      if (message === CALL) void this.#beat();
      if (message === SETTLED) this.#settled.resolve();
      return;
    }
    const waiter = this.#waiters.get(message);
    if (waiter !== undefined) waiter.granted();
    else if (this.#asked.has(message)) this.#early.add(message);
  }

  /** Everybody who waits for Redis has to ask again. */
  lost(): void {
    for (const { lost } of [...this.#waiters.values()]) lost();
  }

  /** Makes Redis know exactly what this thread holds. Those who wait and are not known any more ask again. */
  async join(link: RedisLink): Promise<void> {
    this.#hasJoined = false;
    // The money first: who is known to Redis has said all.
    await this.#parts.restate(link);
    const held = [...this.#held].flatMap(([lease, { holder }]) => [lease, holder]);
    const words: readonly Argument[] = [
      this.#wasKnown ? 1 : 0,
      this.#wasKnown || this.#parts.hasServed ? Math.ceil(link.awayMs ?? -1) : -1,
      this.#members,
      this.#sequence,
      held.length / 2,
      ...held,
      ...this.#asked,
    ];
    const mended = await link.askReturning("join", this.member, ...words);
    if (Number(mended) > 0 && this.#wasKnown)
      this.#parts.log.warn("redis.leases_mended", { leases: Number(mended) });
    this.#wasKnown = true;
    this.#hasJoined = true;
    this.#differs = 0;
    await this.#parts.catchUp(link);
    await this.#recheck();
  }

  /**
   * Answers when everybody has said what it holds since Redis could not be asked or has forgotten, so that what it
   * grants from now on is within the limits. Redis sees to it that this is within seconds.
   */
  async settled(link: RedisLink): Promise<void> {
    for (;;) {
      this.#settled = Promise.withResolvers();
      if ((await link.askReturning("settled")) === 1) return;
      await Promise.race([this.#settled.promise, Bun.sleep(SETTLED_CHECK_MS)]);
    }
  }

  async #beat(): Promise<void> {
    const link = this.#link;
    if (!(link?.canBeTold && this.#hasJoined)) return;
    try {
      const before = this.#counts;
      const [known, leases] = (await link.askReturning("beat", this.member)) as [number, number];
      const after = this.#counts;
      const isMore = leases > Math.max(before.most, after.most);
      const isLess = leases < Math.min(before.held, after.held);
      this.#differs = isMore || isLess ? this.#differs + 1 : 0;
      // What is on its way can make a difference once.
      if (known === 0) link.forgotten();
      else if (this.#differs > 1) await this.join(link);
    } catch {
      // The link is down then, and joins when it returns.
    }
  }

  /** How many leases Redis should know of: at least, and with those that were asked for. */
  get #counts(): { readonly held: number; readonly most: number } {
    return { held: this.#held.size, most: this.#held.size + this.#asked.size };
  }

  async #recheck(): Promise<void> {
    const link = this.#link;
    const leases = [...this.#waiters.keys()];
    if (link === undefined || leases.length === 0) return;
    try {
      const states = (await link.askReturning("whereabouts", this.member, ...leases)) as readonly string[];
      for (const [place, lease] of leases.entries()) {
        const waiter = this.#waiters.get(lease);
        if (states[place] === "held") waiter?.granted();
        else if (states[place] === "lost") waiter?.lost();
      }
    } catch {
      // The link is down then, and everybody who waits has been told.
    }
  }
}
