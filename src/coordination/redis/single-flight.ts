import type { Office, SingleFlight } from "#coordination/single-flight.ts";
import type { Clock } from "#kernel/clock.ts";
import type { RedisLink } from "./link.ts";

/** How long a task stays with one that says nothing more, and how often its holder says something, in milliseconds. */
const OFFICE_MS = 10_000;
const RENEW_MS = 2_500;

/** Work that one node does for all. */
export class RedisSingleFlight implements SingleFlight {
  readonly #link: RedisLink;
  readonly #member: string;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #running = new Set<string>();

  constructor(link: RedisLink, member: string, clock: Pick<Clock, "monotonic">) {
    this.#link = link;
    this.#member = member;
    this.#clock = clock;
  }

  async run<T>(task: string, work: (office: Office) => Promise<T>): Promise<T | undefined> {
    if (this.#running.has(task)) return undefined;
    this.#running.add(task);
    try {
      const askedAt = this.#clock.monotonic();
      const token = await this.#take(task);
      return token === undefined || token === 0 ? undefined : await this.#hold(task, token, askedAt, work);
    } finally {
      this.#running.delete(task);
    }
  }

  async #hold<T>(
    task: string,
    token: number,
    askedAt: number,
    work: (office: Office) => Promise<T>,
  ): Promise<T> {
    const lost = new AbortController();
    let heldUntil = askedAt + OFFICE_MS;
    const renew = async (): Promise<void> => {
      const renewedAt = this.#clock.monotonic();
      const answer = await this.#take(task);
      if (answer === token) heldUntil = renewedAt + OFFICE_MS;
      // Before the time is over for Redis, it is over for us.
      const isOver = answer !== undefined || this.#clock.monotonic() > heldUntil - 2 * RENEW_MS;
      if (answer !== token && isOver) lost.abort();
    };
    const timer = setInterval(() => void renew(), RENEW_MS);
    try {
      return await work({ token, signal: lost.signal });
    } finally {
      clearInterval(timer);
      this.#link.tell("leaveOffice", task, this.#member);
    }
  }

  /** The token; 0 when another member has the task, undefined when Redis cannot be asked. */
  async #take(task: string): Promise<number | undefined> {
    try {
      return Number(await this.#link.ask("takeOffice", task, this.#member, OFFICE_MS));
    } catch {
      return undefined;
    }
  }
}
