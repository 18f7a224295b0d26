import type { Log } from "#kernel/log.ts";
import type { RedisLink } from "./link.ts";

/** How often the leader looks after the others, and the others try to lead, in milliseconds. */
const LEAD_MS = 500;
const FOLLOW_MS = 1_000;
/** Leases that are given back in one step. */
const BURIED_MAX = 2_000;
/** Accounts that are told of in one message, the most recently used. */
const ACCOUNTS_MAX = 5_000;

/** One member of all leads: it buries the dead and tells the others how accounts are used. */
export class Leadership {
  readonly #link: RedisLink;
  readonly #member: string;
  readonly #log: Log;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOpen = true;

  constructor(link: RedisLink, member: string, log: Log) {
    this.#link = link;
    this.#member = member;
    this.#log = log;
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#round(), 0);
  }

  stop(): void {
    this.#isOpen = false;
    clearTimeout(this.#timer);
  }

  async #round(): Promise<void> {
    const leads = await this.#lead();
    if (this.#isOpen) this.#timer = setTimeout(() => void this.#round(), leads ? LEAD_MS : FOLLOW_MS);
  }

  async #lead(): Promise<boolean> {
    if (!this.#link.isUp) return false;
    try {
      const answer = (await this.#link.ask("lead", this.#member, BURIED_MAX, ACCOUNTS_MAX)) as [
        number,
        number,
      ];
      const [leads, buried] = answer;
      if (buried > 0) this.#log.warn("redis.leases_returned", { leases: buried });
      return leads === 1;
    } catch {
      return false;
    }
  }
}
