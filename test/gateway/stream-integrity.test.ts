import { expect, test } from "bun:test";
import type { StreamEnding } from "#gateway/call-stages.ts";
import { faultEvent } from "#gateway/render-fault.ts";
import { StreamRelay } from "#gateway/stream-relay.ts";
import { UpstreamCall } from "#gateway/upstream-call.ts";
import { systemClock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import { leaseOf } from "#kernel/lease.ts";
import { RequestScope } from "#kernel/request-scope.ts";
import { StallWatch } from "#kernel/stall-watch.ts";
import { MessageMeter } from "#protocols/anthropic/message-meter.ts";
import { renameModelOfEvents } from "#protocols/anthropic/reply-model.ts";
import { judge } from "#support/event-stream.ts";
import { cut, type GeneratedStream, generateStream } from "./generated-streams.ts";

/** Seed of the first case; another one can be given to look further. A failure names its own. */
const FIRST_SEED = Number(process.env["STREAM_SEED"] ?? 1);
const CASES = Number(process.env["STREAM_CASES"] ?? 2_000);

const stallWatch = new StallWatch(1_000);
const limits = { firstTokenMs: 60_000, idleMs: 60_000, clientStallMs: 60_000, drainMs: 1_000 };

/** What came out of a relay. */
interface Relayed {
  readonly bytes: Buffer;
  readonly text: string;
  readonly ending: StreamEnding;
  readonly releases: number;
}

/** How an upstream comes to the end of what it sends. */
type End = "closes" | "breaks";

interface Upstream {
  readonly pieces: readonly Uint8Array[];
  readonly end?: End;
  readonly rename?: string;
}

/** A relay between an upstream that sends these pieces and a client. */
function openRelay({ pieces, end = "closes", rename }: Upstream, client = new AbortController()) {
  const scope = new RequestScope(client.signal);
  const counts = { releases: 0 };
  const held = { lease: leaseOf(() => void counts.releases++), onFault: () => undefined };
  const relay = new StreamRelay({
    upstream: sourceOf(pieces, end),
    meter: new MessageMeter(),
    call: new UpstreamCall(held, scope, stallWatch),
    clientSignal: scope.signal,
    stallWatch,
    clock: systemClock,
    limits,
    renderFault: (fault) => faultEvent(fault, { requestId: "req_1" }),
    readError: ({ message }) => new Fault("upstream.broken", { internal: message }),
    rename: rename === undefined ? undefined : (events) => renameModelOfEvents(events, rename),
    onUsed: undefined,
    onClientEnd: () => scope.close(),
  });
  return { relay, counts };
}

/** Sends pieces through the relay; undefined: the answer had not begun, so another account would be tried. */
async function through(upstream: Upstream): Promise<Relayed | undefined> {
  const { relay, counts } = openRelay(upstream);
  try {
    await relay.begun;
  } catch {
    return undefined;
  }
  const bytes = Buffer.from(await new Response(relay.body).bytes());
  return { bytes, text: bytes.toString(), ending: await relay.ended, releases: counts.releases };
}

function sourceOf(pieces: readonly Uint8Array[], end: End): ReadableStream<Uint8Array> {
  let next = 0;
  return new ReadableStream(
    {
      pull: (controller) => {
        const piece = pieces[next++];
        if (piece !== undefined) controller.enqueue(piece);
        else if (end === "closes") controller.close();
        else controller.error(new Error("connection reset"));
      },
    },
    { highWaterMark: 0 },
  );
}

const usageOf = ({ inputTokens, outputTokens, cacheReadTokens }: GeneratedStream) => ({
  inputTokens,
  outputTokens,
  cacheReadTokens,
});

test(`${CASES} valid streams, cut at any bytes, arrive byte for byte, are whole, and are metered the same`, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES; seed++) {
    const stream = generateStream(seed);
    const relayed = await through({ pieces: cut(stream.bytes, seed) });
    const { text, ending, bytes } = relayed ?? {};
    const seen = {
      seed,
      same: bytes?.equals(stream.bytes),
      verdict: judge(text ?? ""),
      status: ending?.status,
    };
    expect(seen).toEqual({ seed, same: true, verdict: "whole", status: "completed" });
    expect({ seed, usage: ending?.usage, releases: relayed?.releases }).toMatchObject({
      seed,
      usage: usageOf(stream),
      releases: 1,
    });
  }
}, 60_000);

/** A stream that ends early, and how. */
interface Early {
  readonly seed: number;
  readonly bytes: Uint8Array;
  readonly missing: number;
  readonly end: End;
}

/** Ends a generated stream early: often within its last bytes, where it looks most like a whole one. */
function earlyStream(seed: number): Early {
  const { bytes } = generateStream(seed);
  const missing = 1 + (seed % 3 === 0 ? seed % 60 : (seed * 7_919) % (bytes.length - 1));
  return { seed, bytes, missing, end: seed % 2 === 0 ? "closes" : "breaks" };
}

/**
 * What an answer that ended early must look like. If the upstream closed in order, one that lacks nothing but line
 * ends has come whole, and is given the blank line that it lacks.
 */
function expectEarly({ seed, bytes, missing, end }: Early, { text, ending }: Relayed): void {
  const rest = Buffer.from(bytes.slice(-missing)).toString();
  const isWhole = end === "closes" && rest.trim() === "";
  const verdict = isWhole ? "whole" : "error";
  const status = isWhole ? "completed" : "upstream_broke";
  expect({ seed, verdict: judge(text), status: ending.status }).toEqual({ seed, verdict, status });
  const sent = isWhole ? text.trimEnd() : text.slice(0, text.lastIndexOf("event: error"));
  const isPrefix = Buffer.from(bytes).toString().startsWith(sent);
  const endsWithEvent = isWhole || sent === "" || /\n\r?\n$/.test(sent);
  expect({ seed, isPrefix, endsWithEvent }).toEqual({ seed, isPrefix: true, endsWithEvent: true });
}

test(`${CASES} streams that end early at any byte never look whole, and end with an error event of its own`, async () => {
  let begun = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES; seed++) {
    const early = earlyStream(seed);
    const pieces = cut(early.bytes.slice(0, -early.missing), seed);
    const relayed = await through({ pieces, end: early.end });
    if (relayed === undefined) continue;
    begun++;
    expectEarly(early, relayed);
  }
  expect(begun).toBeGreaterThan(CASES / 2);
}, 60_000);

test("every cut of one stream, at each of its bytes: nothing but the whole of it looks whole", async () => {
  for (const seed of [3, 4, 5]) {
    const { bytes } = generateStream(seed);
    for (let length = 0; length < bytes.length; length++) {
      const relayed = await through({ pieces: [bytes.slice(0, length)], end: "breaks" });
      const verdict = relayed === undefined ? "not begun" : judge(relayed.text);
      expect([seed, length, verdict === "error" || verdict === "not begun"]).toEqual([seed, length, true]);
    }
  }
}, 60_000);

test("streams whose model has another name for the client are the same but for the name", async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + CASES / 4; seed++) {
    const { bytes } = generateStream(seed);
    const relayed = await through({ pieces: cut(bytes, seed), rename: "asked" });
    const expected = Buffer.from(bytes)
      .toString()
      .replace(/("model": ?)"real"/, '$1"asked"');
    expect({ seed, same: relayed?.text === expected }).toEqual({ seed, same: true });
  }
}, 60_000);

test("an event of more than can be held back passes as it comes, and is ended before the error if it breaks", async () => {
  const start = 'event: message_start\ndata: {"type":"message_start","message":{}}\n\n';
  const long = `event: content_block_delta\ndata: {"type":"content_block_delta","text":"${"x".repeat(3_000_000)}`;
  const open = 'event: content_block_start\ndata: {"type":"content_block_start"}\n\n';
  const delta = 'event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n';
  const bytes = new TextEncoder().encode(start + open + delta + long);
  const relayed = await through({ pieces: cut(bytes, 17), end: "breaks" });
  expect(judge(relayed?.text ?? "")).toBe("error");
  expect(relayed?.text).toContain("xxx\n\nevent: error\ndata: ");
});

test("events that come in an order in which some of them must be missing do not make an answer whole", async () => {
  const { bytes } = generateStream(11);
  const events = Buffer.from(bytes)
    .toString()
    .split(/(?<=\n\r?\n)/);
  const named = events.filter((event) => /^(event|data): ?(\{"type":")?(message|content)_/.test(event));
  for (const dropped of named) {
    const rest = events.filter((event) => event !== dropped).join("");
    const isDelta = dropped.includes("content_block_delta");
    const relayed = await through({ pieces: [new TextEncoder().encode(rest)] });
    if (relayed !== undefined)
      expect([dropped, judge(relayed.text)]).toEqual([dropped, isDelta ? "whole" : "error"]);
  }
});

test("a client that leaves after any piece it has read, long after the upstream has ended or not, is billed all of it", async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + 300; seed++) {
    const stream = generateStream(seed);
    const client = new AbortController();
    const { relay, counts } = openRelay({ pieces: cut(stream.bytes, seed) }, client);
    await relay.begun;
    const reader = relay.body.getReader();
    for (let piece = 0; piece < seed % 5; piece++) await reader.read();
    // Turns of the event loop in which the upstream may come to its end meanwhile.
    for (let turn = 0; turn < (seed % 3) * 20; turn++) await Bun.sleep(0);
    client.abort();
    const { status, usage } = await relay.ended;
    expect({ seed, usage, releases: counts.releases }).toMatchObject({
      seed,
      usage: usageOf(stream),
      releases: 1,
    });
    expect(["client_gone", "completed"]).toContain(status);
  }
}, 60_000);
