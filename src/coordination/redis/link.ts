import type { RedisTarget } from "#config/redis-url.ts";
import type { Clock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import { makeClient, type RedisClient } from "./connect.ts";
import { SCRIPTS, type ScriptName } from "./scripts.ts";

/** Longest an answer of Redis is waited for, in milliseconds; then Redis counts as down. */
const COMMAND_MS_MAX = 1_000;
/** What an answer that has arrived, but was not read because this thread was busy, gets on top, in milliseconds. */
const GRACE_MS = 20;
/** How often it is tried whether Redis is there again, in milliseconds. */
const PROBE_MS = 100;
/** A connection on which nothing is answered for this long is given up, in milliseconds. */
const SILENCE_MS_MAX = 10_000;
const REASON_LENGTH_MAX = 200;

type LinkState = "down" | "returning" | "up" | "closed";

/** Redis cannot be asked now. */
class RedisDown extends Error {
  constructor(reason: string, options?: ErrorOptions) {
    super(`Redis cannot be asked: ${reason}`, options);
    this.name = "RedisDown";
  }
}

/** What is told to a script: words and whole numbers. */
export type Argument = string | number;

/** What a link is made of. */
export interface LinkParts {
  readonly target: RedisTarget;
  readonly base: string;
  /** Of the connections, for those who look at Redis' list of clients. */
  readonly name: string;
  readonly channels: readonly string[];
  readonly clock: Pick<Clock, "monotonic">;
  readonly log: Log;
  readonly onMessage: (channel: string, message: string) => void;
  /** Redis answers again, and has to be told what it may have forgotten. The link is up when this is done. */
  readonly onReturn: (link: RedisLink) => Promise<void>;
  /** The link is up. */
  readonly onUp: () => void;
  /** The link has gone down: nobody who waits for Redis will hear from it. */
  readonly onLoss: () => void;
}

type Command = (base: string, ...args: readonly Argument[]) => Promise<unknown>;

/**
 * The way to Redis: two connections, one for scripts and one for what Redis tells, and a breaker. The first answer
 * that does not come in time takes the link down; from then on whoever asks is refused at once, and nothing but a
 * probe is sent until one is answered.
 */
export class RedisLink {
  readonly #parts: LinkParts;
  readonly #commands: RedisClient;
  readonly #events: RedisClient;
  #state: LinkState = "down";
  /** Those who wait for an answer. */
  readonly #waiting = new Set<(reason: Error) => void>();
  #probing: Promise<void> | undefined;
  #lastReason = "it was not asked yet";
  #losses = 0;
  /** When it was that Redis could last be asked; undefined while it can, or when it only has forgotten. */
  #awaySince: number | undefined;
  /** Settles when the link is up, or when Redis cannot be asked after all. */
  #return = Promise.withResolvers<void>();

  constructor(parts: LinkParts) {
    this.#parts = parts;
    this.#commands = makeClient(parts.target, parts.name);
    this.#events = makeClient(parts.target, `${parts.name}:events`);
    for (const [name, lua] of SCRIPTS) this.#commands.defineCommand(name, { lua, numberOfKeys: 1 });
    for (const client of [this.#commands, this.#events]) {
      client.on("error", (error: Error) => {
        this.#lastReason = error.message.slice(0, REASON_LENGTH_MAX);
      });
      client.on("close", () => this.#lost("the connection was closed"));
    }
    this.#events.on("message", parts.onMessage);
  }

  get isUp(): boolean {
    return this.#state === "up";
  }

  /** Redis answers, if only to be told what it may have forgotten: what is granted meanwhile, it can be told as well. */
  get canBeTold(): boolean {
    return this.#state === "up" || this.#state === "returning";
  }

  /** Waits for the link to be up, if Redis answers; false at once when it does not, or when it takes longer. */
  async returns(limitMs: number): Promise<boolean> {
    const isAnswering = this.canBeTold || (this.#state === "down" && this.#awaySince === undefined);
    if (isAnswering && !this.isUp) await Promise.race([this.#return.promise, Bun.sleep(limitMs)]);
    return this.isUp;
  }

  /** For how long Redis could not be asked, in milliseconds; undefined when it could at all times. */
  get awayMs(): number | undefined {
    return this.#awaySince === undefined ? undefined : this.#parts.clock.monotonic() - this.#awaySince;
  }

  /** How often the link has gone down since it was opened. */
  get losses(): number {
    return this.#losses;
  }

  /** Why Redis could not be asked last. */
  get reason(): string {
    return this.#lastReason;
  }

  /** Connects; rejects when Redis cannot be asked within the time that an answer may take to come. */
  async open(limitMs: number): Promise<void> {
    this.#state = "down";
    this.#awaySince = this.#parts.clock.monotonic();
    for (const client of [this.#commands, this.#events]) client.connect().catch(() => undefined);
    await Promise.race([this.#probe(), Bun.sleep(limitMs)]);
    if (!this.isUp) throw new RedisDown(this.#lastReason);
  }

  /** Lets Redis run a script and gives its answer. Rejects with {@link RedisDown}, at once while the link is down. */
  async ask(script: ScriptName, ...args: readonly Argument[]): Promise<unknown> {
    if (this.#state !== "up") throw new RedisDown(this.#lastReason);
    return await this.#send(script, args);
  }

  /** Like {@link ask}, also for those who help the link to return. */
  async askReturning(script: ScriptName, ...args: readonly Argument[]): Promise<unknown> {
    if (!this.canBeTold) throw new RedisDown(this.#lastReason);
    return await this.#send(script, args);
  }

  /** Runs a script for whose answer nobody waits. False when it was not sent. */
  tell(script: ScriptName, ...args: readonly Argument[]): boolean {
    if (!this.canBeTold) return false;
    this.#send(script, args).catch(() => undefined);
    return true;
  }

  /** Redis does not know this member: it is to be told everything before it is asked again. */
  forgotten(): void {
    this.#lose("it has forgotten what it was told");
  }

  async close(): Promise<void> {
    this.#state = "closed";
    for (const client of [this.#commands, this.#events]) client.disconnect();
    await this.#probing;
  }

  async #send(script: ScriptName, args: readonly Argument[]): Promise<unknown> {
    try {
      const command = (this.#commands as unknown as Readonly<Record<ScriptName, Command>>)[script];
      const answer = command.call(this.#commands, this.#parts.base, ...args);
      return await within(COMMAND_MS_MAX, answer, this.#waiting);
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message.slice(0, REASON_LENGTH_MAX) : String(thrown);
      this.#lost(reason);
      throw new RedisDown(reason, { cause: thrown });
    }
  }

  /** Redis cannot be asked. */
  #lost(reason: string): void {
    this.#awaySince ??= this.#parts.clock.monotonic();
    this.#return.resolve();
    this.#return = Promise.withResolvers();
    this.#lose(reason);
  }

  #lose(reason: string): void {
    this.#lastReason = reason;
    if (!this.canBeTold) return;
    const wasUp = this.#state === "up";
    this.#state = "down";
    if (wasUp) this.#return = Promise.withResolvers();
    // What has been sent may still be answered, but not in time for those who wait.
    for (const giveUp of this.#waiting) giveUp(new RedisDown(reason));
    this.#waiting.clear();
    if (wasUp) {
      this.#losses++;
      this.#parts.log.warn("redis.lost", { reason });
      this.#parts.onLoss();
    }
    void this.#probe();
  }

  #probe(): Promise<void> {
    this.#probing ??= this.#probeUntilBack().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  /** One probe at a time, each waited for as long as its connection lives. */
  async #probeUntilBack(): Promise<void> {
    while (this.#state === "down") {
      try {
        await this.#comeBack();
      } catch (thrown) {
        if ((this.#state as LinkState) === "returning") this.#state = "down";
        if (thrown instanceof TooLate) this.#reconnect();
        if (this.#state === "down") await Bun.sleep(PROBE_MS);
      }
    }
  }

  async #comeBack(): Promise<void> {
    await within(SILENCE_MS_MAX, this.#commands.ping());
    await within(SILENCE_MS_MAX, this.#events.subscribe(...this.#parts.channels));
    if (this.#state !== "down") return;
    this.#state = "returning";
    await this.#parts.onReturn(this);
    // It may have been lost again meanwhile.
    if ((this.#state as LinkState) !== "returning") return;
    this.#state = "up";
    this.#awaySince = undefined;
    this.#return.resolve();
    this.#parts.onUp();
    if (this.#losses > 0) this.#parts.log.warn("redis.returned");
  }

  #reconnect(): void {
    for (const client of [this.#commands, this.#events]) client.disconnect(true);
  }
}

class TooLate extends Error {}

/** Rejects when the answer is late. An answer that is there but could not be read yet is not. */
function within<T>(limitMs: number, answer: Promise<T>, waiting?: Set<(reason: Error) => void>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  waiting?.add(reject);
  const late = (): void => reject(new TooLate(`no answer within ${limitMs} ms`));
  let timer = setTimeout(() => {
    timer = setTimeout(late, GRACE_MS);
  }, limitMs);
  const done = (): void => {
    clearTimeout(timer);
    waiting?.delete(reject);
  };
  answer.then(
    (value) => {
      done();
      resolve(value);
    },
    (reason: unknown) => {
      done();
      reject(reason);
    },
  );
  return promise;
}
