import { expect, test } from "bun:test";
import { Cancellation } from "#kernel/cancellation.ts";
import { Fault } from "#kernel/fault.ts";
import { eventually } from "#support/gateway.ts";
import { openUpstream, type Upstream } from "#upstream/send.ts";
import { answerOk, OK, openRawServer, openTlsServer, type RawServer } from "./raw-server.ts";
import { cancelledAfter, openWithNames, post, textOf, thrownBy, unlimited } from "./requests.ts";

const ask = (upstream: Upstream, { port }: RawServer, cancellation = unlimited) =>
  upstream.send(post(`http://127.0.0.1:${port}/`), cancellation);

test("requests at once have a connection each, and those after them use the same ones", async () => {
  await using server = await openRawServer(answerOk);
  const upstream = openWithNames({});
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.all(Array.from({ length: 100 }, () => ask(upstream, server)));
    for (const answer of answers) expect(await textOf(answer)).toBe("ok");
  }
  expect([server.connections(), server.requests.length]).toEqual([100, 300]);
});

test("a connection that was unused for long is closed, whatever the others do", async () => {
  let nowMs = 0;
  const closed: number[] = [];
  await using server = await openRawServer((socket, index) => {
    socket.once("close", () => closed.push(index));
    socket.write(OK);
  });
  const clock = { now: () => nowMs, monotonic: () => nowMs };
  const upstream = openUpstream({ allowPrivate: true, trustedOrigins: [], clock });
  await Promise.all([ask(upstream, server), ask(upstream, server)].map(async (one) => textOf(await one)));
  for (nowMs = 5_000; nowMs <= 25_000; nowMs += 10_000) await textOf(await ask(upstream, server));
  await eventually(() => closed.length > 0, Boolean);
  expect(new Set(closed).size).toBe(1);
  await textOf(await ask(upstream, server));
  expect(server.connections()).toBe(2);
});

test.each([
  ["timeout=5, max=100", 4_500, 2],
  ["timeout=5", 3_500, 1],
  ["max=100, timeout=1", 0, 1],
  ["max=100", 15_000, 1],
])(
  "a connection that is kept for %s there is used no longer than that: after %d ms",
  async (said, idleMs, connections) => {
    let nowMs = 0;
    await using server = await openRawServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nkeep-alive: ${said}\r\ncontent-length: 2\r\n\r\nok`);
    });
    const clock = { now: () => nowMs, monotonic: () => nowMs };
    const upstream = openUpstream({ allowPrivate: true, trustedOrigins: [], clock });
    await textOf(await ask(upstream, server));
    nowMs += idleMs;
    await textOf(await ask(upstream, server));
    expect(server.connections()).toBe(connections);
  },
);

test("a connection that the upstream closes is not used again", async () => {
  let close = (): void => undefined;
  await using server = await openRawServer((socket) => {
    close = () => socket.end();
    socket.write(OK);
  });
  const upstream = openWithNames({});
  await textOf(await ask(upstream, server));
  close();
  await Bun.sleep(50);
  expect(await textOf(await ask(upstream, server))).toBe("ok");
  expect(server.connections()).toBe(2);
});

test.each([
  ["says that it closes", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"],
  ["speaks HTTP/1.0", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"],
  ["sends more than its answer", `${OK}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`],
])("a connection whose upstream %s is not used again", async (_, text) => {
  await using server = await openRawServer((socket) => {
    socket.write(text);
  });
  const upstream = openWithNames({});
  for (let index = 0; index < 3; index++) expect(await textOf(await ask(upstream, server))).toBe("ok");
  expect(server.connections()).toBe(3);
});

test("what an upstream says unasked is no answer to the next request", async () => {
  await using server = await openRawServer((socket) => {
    socket.write(OK);
    setTimeout(() => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"), 20);
  });
  const upstream = openWithNames({});
  expect(await textOf(await ask(upstream, server))).toBe("ok");
  await Bun.sleep(80);
  expect(await textOf(await ask(upstream, server))).toBe("ok");
  expect(server.connections()).toBe(2);
});

test("an answer that comes before the request has left counts, and the connection is not used again", async () => {
  const size = 32 * 1_048_576;
  await using server = await openRawServer((socket, index) => {
    if (index > 0) return;
    socket.pause();
    socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
  });
  const upstream = openWithNames({});
  const request = { ...post(`http://127.0.0.1:${server.port}/`), body: new Uint8Array(size) };
  const answer = await upstream.send(request, unlimited);
  expect([answer.status, await textOf(answer)]).toEqual([413, "no"]);
  await thrownBy(ask(upstream, server, cancelledAfter(100)));
  expect(server.connections()).toBe(2);
});

test("a large request arrives whole, however slowly it is read", async () => {
  const size = 8 * 1_048_576;
  const body = new Uint8Array(size).map((_, index) => index % 251);
  let digest = "";
  using server = Bun.listen<{ hash: Bun.CryptoHasher; bytes: number; started: boolean }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: (socket) => {
        socket.data = { hash: new Bun.CryptoHasher("sha256"), bytes: 0, started: false };
      },
      data: (socket, bytes) => {
        const { data } = socket;
        const at = data.started ? 0 : bytes.indexOf("\r\n\r\n") + 4;
        data.started = true;
        data.hash.update(bytes.subarray(at));
        data.bytes += bytes.length - at;
        socket.pause();
        setTimeout(() => socket.resume(), 1);
        if (data.bytes < size) return;
        digest = data.hash.digest("hex");
        socket.write(OK);
      },
    },
  });
  const upstream = openWithNames({});
  const request = { ...post(`http://127.0.0.1:${server.port}/`), body };
  expect(await textOf(await upstream.send(request, unlimited))).toBe("ok");
  expect(digest).toBe(new Bun.CryptoHasher("sha256").update(body).digest("hex"));
});

test("requests that give up while their connection opens leave it to those that follow", async () => {
  await using server = await openRawServer(answerOk);
  const upstream = openWithNames({});
  for (let index = 0; index < 20; index++) {
    const cancellation = new Cancellation();
    const reason = new Fault("upstream.timeout");
    const asked = ask(upstream, server, cancellation);
    cancellation.cancel(reason);
    expect(await thrownBy(asked)).toBe(reason);
  }
  expect(await textOf(await ask(upstream, server))).toBe("ok");
  await Bun.sleep(50);
  expect([server.connections(), server.requests.length]).toEqual([1, 1]);
});

test("closing the way out closes unused connections at once, and the others once they are", async () => {
  const closed: number[] = [];
  let answer = (): void => undefined;
  await using server = await openRawServer((socket, index) => {
    socket.once("close", () => closed.push(index));
    if (index === 0) socket.write(OK);
    else answer = () => socket.write(OK);
  });
  const upstream = openWithNames({});
  const [first, second] = [ask(upstream, server), ask(upstream, server)];
  await textOf(await first);
  await eventually(() => server.requests.length === 2, Boolean);
  upstream.close();
  await eventually(() => closed.length === 1, Boolean);
  answer();
  expect(await textOf(await second)).toBe("ok");
  await eventually(() => closed.length === 2, Boolean);
});

test("no header can begin another one", async () => {
  await using server = await openRawServer(answerOk);
  const upstream = openWithNames({});
  for (const value of ["a\r\nx-evil: 1", "a\nx-evil: 1", "a\0b", "\u{1f600}", "\u010d\u010ax: 1"]) {
    const request = post(`http://127.0.0.1:${server.port}/`, { "x-value": value });
    const thrown = await thrownBy(upstream.send(request, unlimited));
    expect(thrown).toMatchObject({ code: "gateway.internal" });
    expect((thrown as Fault).message).not.toContain("evil");
  }
  expect(server.requests).toEqual([]);
});

test("a path cannot end the request's first line", async () => {
  await using server = await openRawServer(answerOk);
  const upstream = openWithNames({});
  const path = "/v1 HTTP/1.1\r\nx-evil: 1\r\n\r\n?a=b c\r\n#part";
  await textOf(await upstream.send(post(`http://127.0.0.1:${server.port}${path}`), unlimited));
  const [request = ""] = server.requests;
  expect(request).toStartWith("POST /v1%20HTTP/1.1x-evil:%201?a=b%20c HTTP/1.1\r\n");
});

test("the upstream is told that HTTP/1.1 is spoken before anything is sent", async () => {
  const certificateAuthorities = await Bun.file(`${import.meta.dir}/../fixtures/tls/ca.pem`).text();
  await using server = await openTlsServer("one", answerOk, ["h2", "http/1.1"]);
  const upstream = openWithNames({ "one.test": ["127.0.0.1"] }, { certificateAuthorities });
  await textOf(await upstream.send(post(`https://one.test:${server.port}/`), unlimited));
  expect(server.protocols).toEqual(["http/1.1"]);
});
