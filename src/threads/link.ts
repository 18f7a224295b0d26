/** Either end of a channel between two threads. */
export interface Port {
  postMessage(message: unknown, options?: { readonly transfer: MessagePort[] }): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
}

// biome-ignore lint/suspicious/noExplicitAny: the widest function type, which every concrete one fits.
type AnyFunction = (...args: any[]) => unknown;

type Arguments<Member> = Member extends (...args: infer Args) => unknown ? Args : never;
type Result<Member> = Member extends (...args: never[]) => infer Value ? Awaited<Value> : never;

interface Ask {
  readonly kind: "ask";
  /** 0: no answer is wanted. */
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}
interface Answer {
  readonly kind: "answer";
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setTimeout>;
}

/**
 * Lets two threads call each other. `Remote` lists what the other one answers: functions over values that
 * can be cloned. Errors travel as their message only; a thread that does not answer in
 * time, or has died, gives an error.
 */
export class Link<Remote> {
  readonly #port: Port;
  readonly #pending = new Map<number, Pending>();
  #api: Readonly<Record<string, AnyFunction>> = {};
  #nextId = 1;

  constructor(port: Port) {
    this.#port = port;
    port.addEventListener("message", ({ data }: MessageEvent<Ask | Answer>) => {
      if (data.kind === "ask") void this.#serve(data);
      else this.#settle(data);
    });
  }

  /** What the other thread may call here. */
  serve<Local extends object>(api: Local): void {
    this.#api = { ...this.#api, ...(api as Record<string, AnyFunction>) };
  }

  /** Calls without waiting for an answer. */
  tell<Name extends keyof Remote & string>(name: Name, ...args: Arguments<Remote[Name]>): void {
    this.#port.postMessage({ kind: "ask", id: 0, name, args } satisfies Ask);
  }

  /** Calls without waiting for an answer, and hands over a port: the first argument. */
  hand<Name extends keyof Remote & string>(name: Name, port: MessagePort, ...rest: readonly unknown[]): void {
    this.#port.postMessage({ kind: "ask", id: 0, name, args: [port, ...rest] } satisfies Ask, {
      transfer: [port],
    });
  }

  /** Calls and waits for the answer, at most `limitMs`. */
  ask<Name extends keyof Remote & string>(
    name: Name,
    limitMs: number,
    ...args: Arguments<Remote[Name]>
  ): Promise<Result<Remote[Name]>> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const timer = setTimeout(() => this.#fail(id, `no answer to "${name}" within ${limitMs} ms`), limitMs);
    this.#pending.set(id, { resolve, reject, timer });
    this.#port.postMessage({ kind: "ask", id, name, args } satisfies Ask);
    return promise as Promise<Result<Remote[Name]>>;
  }

  /** The other thread is gone: everything that waits for it fails now. */
  close(reason: string): void {
    for (const id of this.#pending.keys()) this.#fail(id, reason);
  }

  async #serve({ id, name, args }: Ask): Promise<void> {
    const answer = await this.#answer(name, args);
    if (id !== 0) this.#port.postMessage({ kind: "answer", id, ...answer } satisfies Answer);
  }

  async #answer(name: string, args: readonly unknown[]): Promise<{ value: unknown } | { error: string }> {
    try {
      const handler = this.#api[name];
      if (handler === undefined) return { error: `nobody answers "${name}" here` };
      return { value: await handler(...args) };
    } catch (thrown) {
      return { error: thrown instanceof Error ? thrown.message : String(thrown) };
    }
  }

  #settle({ id, value, error }: Answer): void {
    if (error !== undefined) {
      this.#fail(id, error);
      return;
    }
    this.#take(id)?.resolve(value);
  }

  #fail(id: number, reason: string): void {
    this.#take(id)?.reject(new Error(reason));
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    clearTimeout(pending?.timer);
    return pending;
  }
}
