import { connect, type Socket } from "node:net";
import type { Plan } from "#simulator/plan.ts";
import type { Simulator } from "#simulator/simulator.ts";

/** How long a test waits for the far end before it gives up, in milliseconds. */
const PATIENCE_MS = 5_000;

/** A client that sees bytes, FIN and RST as they are. */
export class RawClient {
  readonly socket: Socket;
  readonly #received: Buffer[] = [];
  #port: number | undefined;
  #ending: "fin" | "rst" | undefined;
  #changed = Promise.withResolvers<void>();

  constructor(port: number) {
    this.socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.socket.on("connect", () => {
      this.#port = this.socket.localPort;
    });
    this.socket.on("data", (bytes: Buffer) => {
      this.#received.push(bytes);
      this.#notify();
    });
    this.socket.on("end", () => this.#end("fin"));
    this.socket.on("error", () => this.#end("rst"));
  }

  /** The port it connects from; undefined until it is connected. */
  get port(): number | undefined {
    return this.#port;
  }

  get ending(): "fin" | "rst" | undefined {
    return this.#ending;
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#received);
  }

  text(): string {
    return this.bytes().toString("utf8");
  }

  /** Waits until the condition holds, looking again whenever something arrives. */
  async until(condition: (client: RawClient) => boolean): Promise<void> {
    const deadline = AbortSignal.timeout(PATIENCE_MS);
    const late = Promise.withResolvers<never>();
    deadline.addEventListener("abort", () => late.reject(new Error(`gave up with: ${this.text()}`)));
    late.promise.catch(() => {});
    while (!condition(this)) await Promise.race([this.#changed.promise, late.promise]);
  }

  async untilText(text: string): Promise<void> {
    await this.until((client) => client.text().includes(text));
  }

  async untilClosed(): Promise<"fin" | "rst"> {
    await this.until((client) => client.ending !== undefined);
    return this.#ending ?? "rst";
  }

  leave(): void {
    this.socket.destroy();
  }

  #end(how: "fin" | "rst"): void {
    this.#ending ??= how;
    this.#notify();
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

export const KEY = "sk-test";

/** The body of a small request, its plan included. */
export function messageBody(plan?: Plan | Record<string, unknown>, stream = true): string {
  return JSON.stringify({
    model: "claude-sonnet-4-6",
    max_tokens: 64,
    stream,
    messages: [{ role: "user", content: "Hi" }],
    ...(plan === undefined ? {} : { simulator: plan }),
  });
}

/** A whole request as bytes on the wire. */
export function requestBytes(
  body: string,
  headers: Record<string, string> = {},
  path = "/v1/messages",
): string {
  const lines = Object.entries({
    Host: "simulator",
    "x-api-key": KEY,
    "anthropic-version": "2023-06-01",
    "Content-Length": `${Buffer.byteLength(body)}`,
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join("")}\r\n${body}`;
}

/** Sends one request with a plan over a connection of its own. */
export function ask(simulator: Simulator, plan?: Plan, stream = true): RawClient {
  const client = new RawClient(simulator.port);
  client.send(requestBytes(messageBody(plan, stream)));
  return client;
}

/** Posts a request with fetch, over a connection that closes after it. */
export async function post(
  simulator: Simulator,
  body: string,
  path = "/v1/messages",
  headers: Record<string, string> = {},
): Promise<Response> {
  return await fetch(`${simulator.url}${path}`, {
    method: "POST",
    body,
    headers: { "x-api-key": KEY, "anthropic-version": "2023-06-01", connection: "close", ...headers },
  });
}

/** Waits for something that follows from an event on another socket. */
export async function eventually(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error("it never became true");
    await Bun.sleep(2);
  }
}
