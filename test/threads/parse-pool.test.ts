import { afterAll, beforeAll, expect, test } from "bun:test";
import { Fault } from "#kernel/fault.ts";
import { modelRangeIn } from "#protocols/anthropic/body-parts.ts";
import type { CallFacts } from "#protocols/call-facts.ts";
import { Link } from "#threads/link.ts";
import type { ParseThreadApi } from "#threads/messages.ts";
import { ParsePool } from "#threads/parse-pool.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const SEED = { apiKeyId: 1, clientAddress: "127.0.0.1", userAgent: "test/1.0", sessionId: undefined };
const encoder = new TextEncoder();

let worker: Worker;
let pool: ParsePool;
const inline = new ParsePool(Number.POSITIVE_INFINITY);

beforeAll(async () => {
  worker = new Worker(new URL("../../workers/parse.ts", import.meta.url));
  pool = new ParsePool(0);
  await connect(worker, pool);
});

afterAll(() => worker.terminate());

async function connect(thread: Worker, to: ParsePool): Promise<void> {
  const link = new Link<ParseThreadApi>(thread);
  await link.ask("start", 10_000, undefined);
  const { port1, port2 } = new MessageChannel();
  link.hand("connect", port1);
  to.connect(0, port2);
}

type Verdict =
  | { readonly facts: CallFacts; readonly same: boolean }
  | { readonly code: string; readonly words: string };

async function verdict(on: ParsePool, body: Uint8Array): Promise<Verdict> {
  try {
    const parsed = await on.read(body.slice(), SEED);
    return { facts: parsed.facts, same: Buffer.compare(parsed.body, body) === 0 };
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown;
    return { code: thrown.code, words: thrown.publicMessage };
  }
}

const TEMPLATE = JSON.stringify({
  model: "claude-sonnet-4-6",
  max_tokens: 64,
  stream: true,
  system: [{ type: "text", text: "You are 世界 🎉", cache_control: { type: "ephemeral" } }],
  metadata: { user_id: '{"device_id":"d","account_uuid":"","session_id":"s"}' },
  thinking: { type: "enabled", budget_tokens: 1024 },
  output_config: { effort: "High" },
  messages: [{ role: "user", content: [{ type: "text", text: 'a "quoted" \\ text\n' }] }],
  model_: "model",
});
const SCRAPS = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"model":',
  '"model":"x",',
  "null",
  "1e999",
  "\\ud83c",
  "é",
  "\u0000",
];

const EDITS: readonly ((text: string, at: number, shuffle: Shuffle) => string)[] = [
  (text, at, shuffle) => text.slice(0, at) + text.slice(at + 1 + shuffle.below(8)),
  (text, at, shuffle) => text.slice(0, at) + (SCRAPS[shuffle.below(SCRAPS.length)] ?? "") + text.slice(at),
  (text, at, shuffle) => text.slice(0, at) + text.slice(Math.max(0, at - shuffle.below(30))),
  (text, at, shuffle) => (shuffle.below(4) === 0 ? text.slice(0, at) : text),
];

/** A copy of the template that a few random edits have been made to, bytes included. */
function mutated(shuffle: Shuffle): Uint8Array {
  let text = TEMPLATE;
  for (let edits = shuffle.below(4); edits >= 0; edits--) {
    const edit = EDITS[shuffle.below(EDITS.length)];
    text = edit?.(text, shuffle.below(text.length + 1), shuffle) ?? text;
  }
  const bytes = encoder.encode(text);
  if (shuffle.below(10) === 0 && bytes.length > 0) bytes[shuffle.below(bytes.length)] = shuffle.below(256);
  return bytes;
}

test("200,000 mutated bodies: here and on a parse thread the facts agree, or both refuse alike", async () => {
  const seed = Number(process.env["PARSE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const shuffle = new Shuffle(seed);
  let refused = 0;
  for (let batch = 0; batch < 4_000; batch++) {
    const bodies = Array.from({ length: 50 }, () => mutated(shuffle));
    const verdicts = await Promise.all(
      bodies.map((body) => Promise.all([verdict(inline, body), verdict(pool, body)])),
    );
    for (const [here, there] of verdicts) {
      if (Bun.deepEquals(here, there)) continue;
      expect({ seed, batch, there }).toEqual({ seed, batch, there: here });
    }
    refused += verdicts.filter(([here]) => "code" in here).length;
  }
  expect(refused).toBeGreaterThan(10_000);
  expect(refused).toBeLessThan(190_000);
  expect(pool.pending).toBe(0);
}, 120_000);

test("the model's bytes are where the facts say, in every body that is accepted", async () => {
  const shuffle = new Shuffle(3);
  for (let run = 0; run < 5_000; run++) {
    const body = mutated(shuffle);
    const found = await verdict(inline, body);
    if ("code" in found) continue;
    const { start, end } = found.facts.modelRange ?? modelRangeIn(body);
    expect(JSON.parse(Buffer.from(body.subarray(start, end)).toString())).toBe(found.facts.model);
  }
});

test("a body that nests without end is refused, not built", async () => {
  const deep = encoder.encode(`{"model":"m","messages":${"[".repeat(5_000_000)}`);
  for (const on of [inline, pool])
    expect(await verdict(on, deep)).toMatchObject({ code: "parse.field_invalid" });
});

test("the facts are read as written", async () => {
  expect(await verdict(pool, encoder.encode(TEMPLATE))).toMatchObject({
    same: true,
    facts: {
      model: "claude-sonnet-4-6",
      stream: true,
      maxTokens: 64,
      thinking: true,
      effort: "high",
      sessionKey: "1:s",
      messages: { count: 1, isUserTurn: true },
    },
  });
});

test("the result of a tool is not a person's turn", async () => {
  const content = [{ type: "tool_result", tool_use_id: "t", content: "x" }];
  const body = encoder.encode(JSON.stringify({ model: "m", messages: [{ role: "user", content }] }));
  expect(await verdict(inline, body)).toMatchObject({ facts: { messages: { isUserTurn: false } } });
});

test("a full queue is no reason to wait: the body is read where it is", async () => {
  const alone = new ParsePool(0);
  const { port1 } = new MessageChannel();
  alone.connect(0, port1);
  const body = () => encoder.encode(TEMPLATE);
  for (let place = 0; place < 64; place++) void alone.read(body(), SEED);
  expect(alone.pending).toBe(64);
  expect(await alone.read(body(), SEED)).toMatchObject({ facts: { model: "claude-sonnet-4-6" } });
});

test("a parse thread that dies fails what it held, and its replacement serves", async () => {
  const thread = new Worker(new URL("../../workers/parse.ts", import.meta.url));
  const fragile = new ParsePool(0);
  await connect(thread, fragile);
  const held = fragile.read(encoder.encode(JSON.stringify({ model: "m", x: "y".repeat(8_000_000) })), SEED);
  thread.terminate();
  fragile.disconnect(0);
  await expect(Promise.resolve(held)).rejects.toMatchObject({ code: "gateway.thread_lost" });
  expect(await fragile.read(encoder.encode(TEMPLATE), SEED)).toMatchObject({ facts: { stream: true } });
});
