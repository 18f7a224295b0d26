import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer, type Server } from "node:net";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { judge } from "#support/event-stream.ts";
import { eventually, type Tenant, usageOf } from "#support/gateway.ts";
import { cut, generateStream } from "../gateway/generated-streams.ts";
import { openStage, type Stage } from "./stage.ts";

const STREAMS = 40;

let stage: Stage;
let upstream: Server;
let upstreamUrl: string;
/** What the upstream answers next, in these pieces. */
let pieces: readonly Uint8Array[] = [];
/** A header of the answer besides the usual. */
let header = "";
/** Heads of the requests that reached the upstream. */
const heads: string[] = [];

beforeAll(async () => {
  stage = await openStage();
  upstream = createServer((socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => undefined);
    socket.once("data", async (request) => {
      heads.push(request.toString("latin1"));
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n${header}transfer-encoding: chunked\r\n\r\n`,
      );
      for (const piece of pieces) {
        socket.write(`${piece.length.toString(16)}\r\n`);
        socket.write(piece);
        socket.write("\r\n");
        await Bun.sleep(0);
      }
      socket.end("0\r\n\r\n");
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  const address = upstream.address();
  if (address === null || typeof address === "string") throw new Error("not listening on a port");
  upstreamUrl = `http://127.0.0.1:${address.port}`;
}, 60_000);

afterAll(async () => {
  await stage.close();
  upstream.close();
});

async function answerTo(tenant: Tenant): Promise<{ readonly bytes: Buffer; readonly headers: Headers }> {
  const answer = await stage.ask(tenant.key, { stream: true, headers: { "accept-encoding": "identity" } });
  return { bytes: Buffer.from(await answer.bytes()), headers: answer.headers };
}

test(`${STREAMS} valid streams in any pieces cross real sockets byte for byte and are billed what they say`, async () => {
  header = "";
  const tenant = await stage.tenant([{ base_url: upstreamUrl }]);
  const billed: (string | number)[][] = [];
  for (let seed = 1; seed <= STREAMS; seed++) {
    const stream = generateStream(seed);
    pieces = cut(stream.bytes, seed);
    const { bytes } = await answerTo(tenant);
    expect({ seed, same: bytes.equals(stream.bytes) }).toEqual({ seed, same: true });
    billed.push([stream.inputTokens, stream.outputTokens, stream.cacheReadTokens, "completed"]);
  }
  const rows = await eventually(
    () => usageOf(stage.gateway, tenant.userId),
    ({ length }) => length === STREAMS,
  );
  const booked = rows.map((row) => [row.input_tokens, row.output_tokens, row.cache_read_tokens, row.status]);
  expect(booked.reverse()).toEqual(billed);
}, 60_000);

test("streams that end early after their first content end with an error event over real sockets too", async () => {
  header = "";
  const tenant = await stage.tenant([{ base_url: upstreamUrl }]);
  for (let seed = 1; seed <= STREAMS / 2; seed++) {
    const { bytes } = generateStream(seed);
    pieces = cut(bytes.slice(0, bytes.length - 4 - seed), seed);
    expect({ seed, verdict: judge((await answerTo(tenant)).bytes.toString()) }).toEqual({
      seed,
      verdict: "error",
    });
  }
}, 60_000);

test.each([
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
] as const)(
  "a stream that comes in %s unasked is read, renamed, billed and sent on in the clear",
  async (coding, encode) => {
    const stream = generateStream(5);
    header = `content-encoding: ${coding}\r\n`;
    pieces = cut(encode(stream.bytes), 5);
    const tenant = await stage.tenant([
      { base_url: upstreamUrl, model_mapping: { "claude-sonnet-4-6": "real" } },
    ]);
    const { bytes, headers } = await answerTo(tenant);
    const expected = Buffer.from(stream.bytes)
      .toString()
      .replace(/("model": ?)"real"/, '$1"claude-sonnet-4-6"');
    expect(bytes.toString()).toBe(expected);
    expect(headers.get("content-encoding")).toBeNull();
    expect(heads.at(-1)).toMatch(/\r\naccept-encoding: identity\r\n/i);
    expect(await stage.onlyRow(tenant)).toMatchObject({
      status: "completed",
      input_tokens: stream.inputTokens,
      output_tokens: stream.outputTokens,
    });
  },
);

test("a stream that comes in a broken coding ends with an error, like any that breaks", async () => {
  const { bytes } = generateStream(5);
  header = "content-encoding: gzip\r\n";
  pieces = [gzipSync(bytes).subarray(0, -12)];
  const tenant = await stage.tenant([{ base_url: upstreamUrl }]);
  const answer = await stage.ask(tenant.key, { stream: true });
  const text = await answer.text();
  expect(answer.ok ? judge(text) : JSON.parse(text).type).toBe("error");
});
