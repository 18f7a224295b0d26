import { createHash } from "node:crypto";
import { openSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Elysia } from "elysia";
import { Histogram, Registry } from "prom-client";
import { MessageMeter } from "#protocols/anthropic/message-meter.ts";
import { readUsage } from "#protocols/anthropic/usage.ts";
import { FLOOR_DIR, FLOOR_STEP, FLOOR_UPSTREAM, includesStep, type StepId } from "./steps.ts";

/**
 * The least that a gateway could do, up to one step: what each of them stands for in one plain statement or two,
 * with no limits, no failures, no choice and no money. Nothing here is fit to serve anybody.
 */
const stands = process.env[FLOOR_STEP];
const upstream = process.env[FLOOR_UPSTREAM] ?? "";
const does = (step: StepId): boolean => includesStep(stands, step);
const [headers, route, key, body, usage, journal, log, metrics, ledger] = [
  does("headers"),
  does("route"),
  does("key"),
  does("body"),
  does("usage"),
  does("journal"),
  does("log"),
  does("metrics"),
  does("ledger"),
];

const GATHER_MS = 20;
const BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const SENT_BACK: ReadonlySet<string> = new Set(["content-type", "request-id"]);
const PASSED_ON = ["accept", "anthropic-beta", "anthropic-version", "content-type", "user-agent"];
const ADDED = { "x-api-key": "bench", "accept-encoding": "identity" };

const dir = process.env[FLOOR_DIR] ?? tmpdir();
const journalFile = openSync(join(dir, `${stands}.journal`), "w");
const logFile = openSync(join(dir, `${stands}.log`), "w");
const callers = new Map<string, { readonly id: number }>();
const slots = new Int32Array(new SharedArrayBuffer(8));
const durations = new Histogram({ name: "d", help: "d", buckets: BUCKETS, registers: [new Registry()] });
const taker = ledger
  ? new Worker(new URL("./taking-thread.ts", import.meta.url).href, { name: "ledger" })
  : undefined;

/** What is known of one request. */
interface Facts {
  readonly id: string;
  readonly startedAt: number;
  caller: number;
  model: unknown;
  hash: string;
}

const handled = gathered((lines) => taker?.postMessage(lines));
const logged = gathered((lines) => writeSync(logFile, `${lines.join("\n")}\n`));

async function handle(request: Request): Promise<Response> {
  const facts: Facts = {
    id: crypto.randomUUID(),
    startedAt: performance.now(),
    caller: 0,
    model: "",
    hash: "",
  };
  const abort = new AbortController();
  if (key) {
    facts.caller = callerOf(request.headers.get("x-api-key") ?? "");
    Atomics.add(slots, 0, 1);
    Atomics.add(slots, 1, 1);
    request.signal.addEventListener("abort", () => abort.abort());
  }
  const bytes = await request.bytes();
  if (body) {
    facts.model = (JSON.parse(new TextDecoder().decode(bytes)) as { readonly model?: unknown }).model;
    facts.hash = Bun.hash.xxHash64(bytes).toString(36);
  }
  const answer = await fetch(`${upstream}${new URL(request.url).pathname}`, {
    method: request.method,
    headers: headers ? passedOn(request.headers) : { ...ADDED, "content-type": "application/json" },
    body: bytes,
    signal: abort.signal,
  });
  const init = { status: answer.status, headers: headers ? sentBack(answer.headers, facts) : answer.headers };
  if (!usage || answer.body === null) {
    if (key) giveBack();
    return new Response(answer.body, init);
  }
  if (answer.headers.get("content-type")?.startsWith("text/event-stream")) {
    const [client, meter] = answer.body.tee();
    void metered(meter, facts);
    return new Response(client, init);
  }
  const whole = await answer.bytes();
  settle(facts, readUsage(whole)?.outputTokens);
  return new Response(whole, init);
}

function callerOf(presented: string): number {
  const hash = createHash("sha256").update(presented).digest("hex");
  const known = callers.get(hash);
  if (known !== undefined) return known.id;
  callers.set(hash, { id: callers.size });
  return callers.size;
}

function passedOn(client: Headers): Record<string, string> {
  const passed: Record<string, string> = { ...ADDED };
  for (const name of PASSED_ON) {
    const value = client.get(name);
    if (value !== null) passed[name] = value;
  }
  return passed;
}

function sentBack(answered: Headers, { id }: Facts): Record<string, string> {
  const back: Record<string, string> = { "x-request-id": id };
  answered.forEach((value, name) => {
    if (SENT_BACK.has(name) || name.startsWith("anthropic-")) back[name] = value;
  });
  return back;
}

async function metered(branch: ReadableStream<Uint8Array>, facts: Facts): Promise<void> {
  const meter = new MessageMeter();
  for await (const chunk of branch) meter.push(chunk);
  meter.end();
  settle(facts, meter.usage.outputTokens);
}

function giveBack(): void {
  Atomics.sub(slots, 0, 1);
  Atomics.sub(slots, 1, 1);
}

function settle({ id, startedAt, caller, model, hash }: Facts, outputTokens: number | undefined): void {
  giveBack();
  const durationMs = performance.now() - startedAt;
  if (!journal) return;
  const line = JSON.stringify({ id, caller, model, hash, outputTokens, durationMs, at: Date.now() });
  writeSync(journalFile, `${Bun.hash.crc32(line).toString(16)} ${line}\n`);
  if (log) logged(`{"time":"${new Date().toISOString()}","level":"info",${line.slice(1)}`);
  if (metrics) durations.observe(durationMs / 1_000);
  if (ledger) handled(line);
}

/** Gathers lines for a moment and hands them on together. */
function gathered(handOn: (lines: readonly string[]) => void): (line: string) => void {
  let lines: string[] = [];
  const flush = (): void => {
    handOn(lines);
    lines = [];
  };
  return (line) => {
    if (lines.push(line) === 1) setTimeout(flush, GATHER_MS);
  };
}

declare const self: Worker;

const options = { hostname: "127.0.0.1", port: 0, idleTimeout: 0 } as const;
const server = route
  ? new Elysia({ serve: options })
      .post("/v1/messages", ({ request }) => handle(request), { parse: "none" })
      .listen(options).server
  : Bun.serve({ ...options, fetch: handle });
self.postMessage({ url: server?.url.origin });
