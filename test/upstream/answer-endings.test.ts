import { describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import type { OpenAnswer } from "#domain/upstream-request.ts";
import { Cancellation } from "#kernel/cancellation.ts";
import { Fault } from "#kernel/fault.ts";
import { eventually } from "#support/gateway.ts";
import { openRawServer } from "./raw-server.ts";
import { cancelledAfter, openWithNames, post, textOf, thrownBy, unlimited } from "./requests.ts";

const MIB = 1_048_576;

/** Ways to frame the same body, and the end that belongs to each. */
const FRAMINGS = [
  ["of a known length", `content-length: ${"hello world".length}`, ["hello ", "world"], ""],
  ["in chunks", "transfer-encoding: chunked", ["6\r\nhello \r\n", "5\r\nworld\r\n"], "0\r\n\r\n"],
] as const;

async function streamedText(answer: OpenAnswer): Promise<string> {
  return await new Response(answer.stream()).text();
}

const READERS = [
  ["as a whole", textOf],
  ["as a stream", streamedText],
] as const;

/** A server that reacts with these texts, one after the other, and then does something. */
async function serverThat(texts: readonly string[], then: (socket: Socket) => void) {
  return await openRawServer((socket) => {
    for (const [index, text] of texts.entries()) setTimeout(() => socket.write(text), 5 * index);
    setTimeout(() => then(socket), 5 * texts.length);
  });
}

describe.each(READERS)("an answer read %s", (_, read) => {
  test.each(FRAMINGS)("%s is whole with its last byte", async (__, header, parts, end) => {
    await using server = await serverThat(
      [`HTTP/1.1 200 OK\r\n${header}\r\n\r\n`, ...parts, end],
      () => undefined,
    );
    const upstream = openWithNames({});
    const answer = await upstream.send(post(`http://127.0.0.1:${server.port}/`), unlimited);
    expect(await read(answer)).toBe("hello world");
    expect(await read(await upstream.send(post(`http://127.0.0.1:${server.port}/`), unlimited))).toBe(
      "hello world",
    );
    expect(server.connections()).toBe(1);
  });

  test("without a length is whole when the upstream ends the connection in order", async () => {
    await using server = await serverThat(["HTTP/1.1 200 OK\r\n\r\n", "hello ", "world"], (socket) =>
      socket.end(),
    );
    const answer = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
    expect(await read(answer)).toBe("hello world");
  });

  test("without a length is broken when the connection is reset", async () => {
    await using server = await serverThat(["HTTP/1.1 200 OK\r\n\r\n", "hello "], (socket) =>
      socket.resetAndDestroy(),
    );
    const answer = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
    expect(await thrownBy(read(answer))).toMatchObject({ code: "ECONNRESET" });
  });

  for (const [how, breakOff] of [
    ["ends", (socket: Socket) => void socket.end()],
    ["resets", (socket: Socket) => void socket.resetAndDestroy()],
    ["garbles", (socket: Socket) => void socket.write("\r\nnonsense")],
  ] as const) {
    test.each(FRAMINGS)(`%s is broken when the upstream ${how} it early`, async (framing, header, parts) => {
      await using server = await serverThat([`HTTP/1.1 200 OK\r\n${header}\r\n\r\n`, parts[0]], breakOff);
      const answer = await openWithNames({}).send(
        post(`http://127.0.0.1:${server.port}/`),
        cancelledAfter(200),
      );
      const thrown = (await thrownBy(read(answer))) as Error;
      // A body of known length holds any bytes, until there are enough of them.
      if (how === "garbles" && framing === "of a known length") expect(thrown).toBeUndefined();
      else
        expect(thrown).toMatchObject({ code: how === "garbles" ? "HPE_INVALID_CHUNK_SIZE" : "ECONNRESET" });
    });
  }

  test.each(FRAMINGS)(
    "%s that stalls ends with the reason it was cancelled for, and its connection",
    async (__, header, parts) => {
      let isClosed = false;
      await using server = await serverThat([`HTTP/1.1 200 OK\r\n${header}\r\n\r\n`, parts[0]], (socket) =>
        socket.once("close", () => {
          isClosed = true;
        }),
      );
      const cancellation = new Cancellation();
      const answer = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), cancellation);
      const reason = new Fault("upstream.stalled");
      setTimeout(() => cancellation.cancel(reason), 30);
      expect(await thrownBy(read(answer))).toBe(reason);
      await eventually(() => isClosed, Boolean);
    },
  );

  test("is broken with the reason it was cancelled for when it is cancelled before anybody reads it", async () => {
    await using server = await serverThat(
      ["HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello "],
      () => undefined,
    );
    const cancellation = new Cancellation();
    const answer = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), cancellation);
    const reason = new Fault("upstream.stalled");
    cancellation.cancel(reason);
    expect(await thrownBy(read(answer))).toBe(reason);
  });

  test("keeps what came with its head, and what came before anybody read it", async () => {
    await using server = await serverThat(
      ["HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello ", "world"],
      () => undefined,
    );
    const answer = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
    await Bun.sleep(30);
    expect(await read(answer)).toBe("hello world");
  });

  test("loses nothing of a large body whose connection ends while nobody reads", async () => {
    const body = Buffer.alloc(2 * MIB, "x");
    await using server = await openRawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`);
      socket.end(body);
    });
    const answer = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
    await Bun.sleep(100);
    const readers = { bytes: async () => (await answer.bytes(4 * MIB)).length };
    const length = read === textOf ? await readers.bytes() : (await streamedText(answer)).length;
    expect(length).toBe(body.length);
  });
});

test("a client that leaves closes the connection", async () => {
  let isClosed = false;
  await using server = await openRawServer((socket) => {
    socket.once("close", () => {
      isClosed = true;
    });
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello ");
  });
  const answer = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
  const reader = answer.stream().getReader();
  await reader.read();
  await reader.cancel();
  await eventually(() => isClosed, Boolean);
});

test("an upstream waits for whoever reads its stream, and for whoever has not begun to", async () => {
  let sent = 0;
  await using server = await openRawServer((socket) => {
    const part = Buffer.alloc(65_536, "x");
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const pump = (): void => {
      while (sent < 64 * MIB) {
        sent += part.length;
        if (!socket.write(part)) {
          socket.once("drain", pump);
          return;
        }
      }
    };
    pump();
  });
  const answer = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
  const settled = async (): Promise<number> => {
    for (let before = -1; before !== sent; await Bun.sleep(100)) before = sent;
    return sent;
  };
  // What the two kernels hold of a connection is theirs; the rest is bounded here.
  expect(await settled()).toBeLessThan(24 * MIB);
  const reader = answer.stream().getReader();
  await reader.read();
  expect(await settled()).toBeLessThan(24 * MIB);
  let read = 0;
  while (read < 32 * MIB) read += (await reader.read()).value?.length ?? 0;
  expect(await settled()).toBeGreaterThan(32 * MIB);
  await reader.cancel();
});

test("a body that is larger than is wanted is broken off", async () => {
  let isClosed = false;
  await using server = await openRawServer((socket) => {
    socket.once("close", () => {
      isClosed = true;
    });
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n");
    socket.write("x".repeat(50));
  });
  const answer = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
  expect(await thrownBy(Promise.try(() => answer.bytes(20)))).toMatchObject({
    code: "upstream.invalid_answer",
  });
  await eventually(() => isClosed, Boolean);
});
