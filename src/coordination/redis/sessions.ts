import type { BindingFilter, Session, SessionBindings } from "#coordination/session-bindings.ts";
import type { AccountId } from "#domain/ids.ts";
import type { Clock } from "#kernel/clock.ts";
import type { RedisLink } from "./link.ts";

/** Answers that are kept for those who are about to ask, and for how long, in milliseconds. */
const FORETOLD_MAX = 10_000;
const FORETOLD_MS = 1_000;
/** How many bindings are looked at in one step when they are dropped. */
const FLUSH_BATCH = 500;

interface Foretold {
  readonly account: AccountId | undefined;
  readonly until: number;
}

/**
 * Which account serves a conversation, for all nodes. While Redis cannot be asked, this node goes by the bindings that
 * it has made itself.
 */
export class RedisSessions implements SessionBindings {
  readonly #link: RedisLink;
  readonly #local: SessionBindings;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #foretold = new Map<string, Foretold>();

  constructor(link: RedisLink, local: SessionBindings, clock: Pick<Clock, "monotonic">) {
    this.#link = link;
    this.#local = local;
    this.#clock = clock;
  }

  find(session: Session): AccountId | undefined | Promise<AccountId | undefined> {
    const place = this.placeOf(session);
    const foretold = this.#foretold.get(place);
    this.#foretold.delete(place);
    if (foretold !== undefined && this.#clock.monotonic() < foretold.until) return foretold.account;
    return this.#link.isUp ? this.#lookUp(session, place) : this.#local.find(session);
  }

  bind(session: Session, account: AccountId, ttlMs: number): void {
    this.bindHere(session, account, ttlMs);
    this.#link.tell("bind", this.placeOf(session), account, ttlMs);
  }

  /** Notes in this node what Redis has bound. */
  bindHere(session: Session, account: AccountId, ttlMs: number): void {
    this.#local.bind(session, account, ttlMs);
  }

  unbind(session: Session, account: AccountId): void {
    this.#local.unbind(session, account);
    this.#link.tell("unbind", this.placeOf(session), account);
  }

  async flush(filter: BindingFilter): Promise<number> {
    await this.#local.flush(filter);
    const { groupId, accountId } = filter;
    let dropped = 0;
    let cursor = "0";
    do {
      const step = await this.#link.ask("dropBindings", cursor, groupId ?? "", accountId ?? "", FLUSH_BATCH);
      const [next, count] = step as [string, number];
      cursor = next;
      dropped += count;
    } while (cursor !== "0");
    return dropped;
  }

  /** What is bound was looked up together with something else; whoever asks next has the answer at once. */
  foretell(session: Session, account: string): void {
    const [oldest] = this.#foretold.keys();
    if (oldest !== undefined && this.#foretold.size >= FORETOLD_MAX) this.#foretold.delete(oldest);
    const until = this.#clock.monotonic() + FORETOLD_MS;
    this.#foretold.set(this.placeOf(session), { account: accountOf(account), until });
  }

  /** How Redis calls a conversation: its group and the hash of its key, of 64 bits. */
  placeOf({ groupId, sessionKey }: Session): string {
    return `${groupId}:${Bun.hash.xxHash64(sessionKey).toString(36)}`;
  }

  async #lookUp(session: Session, place: string): Promise<AccountId | undefined> {
    try {
      return accountOf((await this.#link.ask("boundTo", place)) as string);
    } catch {
      return await this.#local.find(session);
    }
  }
}

function accountOf(text: string): AccountId | undefined {
  return text === "" ? undefined : (Number(text) as AccountId);
}
