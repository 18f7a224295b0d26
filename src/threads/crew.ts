import type { Log } from "#kernel/log.ts";
import { Link } from "./link.ts";

/** How long a new thread may take until it says that it is ready, in milliseconds. */
const READY_MS_MAX = 60_000;
/** Back-off between a thread's death and its replacement, in milliseconds, doubling from the least. */
const RESTART_MS_MIN = 50;
const RESTART_MS_MAX = 5_000;
/** A thread that lived this long does not die at every start, and is replaced without more back-off, in milliseconds. */
const HEALTHY_MS = 3_000;

/** What every thread of a crew answers, besides its own work. */
export interface CrewMember {
  /** Called once, before anything else; the thread is ready when it answers. */
  start(init: unknown): unknown;
}

interface CrewOptions<Remote> {
  readonly name: string;
  readonly size: number;
  readonly workerUrl: URL;
  readonly log: Log;
  /** What a thread is started with. Called again for each replacement. */
  readonly initOf: (index: number) => unknown;
  /** Lets the thread call the main thread. */
  readonly serve: (link: Link<Remote>, index: number) => void;
  /** A thread is ready; `answer` is what its `start` gave. */
  readonly onReady?: (index: number, answer: unknown) => void;
  /** A thread has certainly stopped; its holdings can be given back. */
  readonly onDeath: (index: number) => void | Promise<void>;
}

interface Member<Remote> {
  readonly worker: Worker;
  readonly link: Link<Remote>;
  readonly startedAt: number;
}

/**
 * A fixed number of worker threads of one kind. One that dies is replaced with back-off, and everything
 * that waited for it fails at once.
 */
export class Crew<Remote extends CrewMember> {
  readonly #options: CrewOptions<Remote>;
  readonly #members: (Member<Remote> | undefined)[] = [];
  readonly #failures: number[] = [];
  #restarts = 0;
  #isStopping = false;

  constructor(options: CrewOptions<Remote>) {
    this.#options = options;
  }

  /** Starts every thread, one after the other. Rejects when one of them cannot start. */
  async start(): Promise<void> {
    for (let index = 0; index < this.#options.size; index++) await this.#spawn(index);
  }

  /** The link to one thread; undefined while it is being replaced. */
  link(index: number): Link<Remote> | undefined {
    return this.#members[index]?.link;
  }

  /** Links to the threads that live now. */
  get links(): readonly Link<Remote>[] {
    return this.#members.flatMap((member) => (member === undefined ? [] : [member.link]));
  }

  /** How many threads have died and were replaced. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Ends one thread at whatever it is doing; it is replaced like any that dies. */
  terminate(index: number): void {
    this.#members[index]?.worker.terminate();
  }

  /** Ends every thread and replaces none. */
  stop(): void {
    this.#isStopping = true;
    for (const member of this.#members) member?.worker.terminate();
  }

  async #spawn(index: number): Promise<void> {
    const { workerUrl, serve, initOf, name } = this.#options;
    const worker = new Worker(workerUrl, { name: `${name} ${index}` });
    const link = new Link<Remote>(worker);
    const member = { worker, link, startedAt: performance.now() };
    this.#members[index] = member;
    worker.addEventListener("error", ({ message }) => this.#report(index, message));
    worker.addEventListener("close", () => this.#died(index, member));
    serve(link, index);
    const answer = await startMember(link, initOf(index));
    this.#options.onReady?.(index, answer);
  }

  #report(index: number, message: string): void {
    this.#options.log.error("thread.failed", { crew: this.#options.name, thread: index, reason: message });
  }

  #died(index: number, member: Member<Remote>): void {
    member.link.close(`${this.#options.name} thread ${index} has died`);
    if (this.#members[index] !== member) return;
    this.#members[index] = undefined;
    const cleared = Promise.resolve(this.#options.onDeath(index));
    if (this.#isStopping) return;
    this.#restarts++;
    const isHealthy = performance.now() - member.startedAt > HEALTHY_MS;
    this.#failures[index] = isHealthy ? 0 : (this.#failures[index] ?? 0) + 1;
    const delayMs = Math.min(RESTART_MS_MIN * 2 ** (this.#failures[index] ?? 0), RESTART_MS_MAX);
    this.#options.log.error("thread.died", { crew: this.#options.name, thread: index, restart_ms: delayMs });
    setTimeout(() => void cleared.then(() => this.#replace(index)), delayMs);
  }

  async #replace(index: number): Promise<void> {
    if (this.#isStopping) return;
    try {
      await this.#spawn(index);
      this.#options.log.info("thread.replaced", { crew: this.#options.name, thread: index });
    } catch (thrown) {
      // A thread that lives but cannot start is ended; its death plans the next try.
      this.#report(index, thrown instanceof Error ? thrown.message : String(thrown));
      this.#members[index]?.worker.terminate();
    }
  }
}

/** Every crew answers `start`, which the compiler cannot see through the type parameter. */
function startMember(link: object, init: unknown): Promise<unknown> {
  return (link as Link<CrewMember>).ask("start", READY_MS_MAX, init);
}
