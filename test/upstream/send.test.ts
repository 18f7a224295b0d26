import { expect, test } from "bun:test";
import { brotliCompressSync, deflateSync } from "node:zlib";
import { Cancellation } from "#kernel/cancellation.ts";
import { Fault } from "#kernel/fault.ts";
import { headerOf } from "#kernel/headers.ts";
import { openUpstream } from "#upstream/send.ts";
import { answerOk, OK, openRawServer } from "./raw-server.ts";
import { openWithNames, post, textOf, thrownBy, unlimited } from "./requests.ts";

/** A port of this machine on which nothing listens. */
async function closedPort(): Promise<number> {
  await using server = await openRawServer(answerOk);
  return server.port;
}

test("method, path, query, headers and body arrive as the provider built them", async () => {
  await using server = await openRawServer(answerOk);
  const upstream = openWithNames({ "api.example.com": ["127.0.0.1"] });
  const request = post(`http://api.example.com:${server.port}/base/v1/messages?beta=true`, {
    "x-api-key": "k",
  });
  await upstream.send(request, unlimited);
  const [text = ""] = server.requests;
  expect(text).toStartWith("POST /base/v1/messages?beta=true HTTP/1.1\r\n");
  expect(text.toLowerCase()).toContain("\r\nuser-agent: test\r\n");
  expect(text.toLowerCase()).toContain("\r\nx-api-key: k\r\n");
  expect(text).toEndWith('\r\n\r\n{"model":"m"}');
  expect(request.headers["host"]).toBeUndefined();
});

test.each([
  ["gzip", Bun.gzipSync],
  ["br", brotliCompressSync],
  ["deflate", deflateSync],
  ["ZSTD", Bun.zstdCompressSync],
] as const)("a body in %s comes back decoded, and its headers say so", async (coding, encode) => {
  const bytes = encode(new TextEncoder().encode("hello"));
  const seen: (string | null)[] = [];
  using server = Bun.serve({
    port: 0,
    fetch: (request) => {
      seen.push(request.headers.get("accept-encoding"));
      return new Response(new Uint8Array(bytes), { headers: { "content-encoding": coding } });
    },
  });
  const request = post(`http://127.0.0.1:${server.port}/`, { "accept-encoding": "identity" });
  const response = await openWithNames({}).send(request, unlimited);
  expect([
    headerOf(response.headers, "content-encoding"),
    headerOf(response.headers, "content-length"),
  ]).toEqual([null, null]);
  expect(await textOf(response)).toBe("hello");
  expect(seen).toEqual(["identity"]);
});

test("a body in an unknown coding comes back byte for byte under its own header", async () => {
  using server = Bun.serve({
    port: 0,
    fetch: () => new Response("hello", { headers: { "content-encoding": "x-own" } }),
  });
  const response = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
  expect([headerOf(response.headers, "content-encoding"), await textOf(response)]).toEqual([
    "x-own",
    "hello",
  ]);
});

test("a body that is not in the coding it claims is an answer that cannot be read", async () => {
  using server = Bun.serve({
    port: 0,
    fetch: () => new Response("hello".repeat(100), { headers: { "content-encoding": "gzip" } }),
  });
  const read = async (): Promise<string> => {
    const response = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
    return await textOf(response);
  };
  // Where the break is read together with the head, it is known before there is an answer.
  const { code } = (await thrownBy(read())) as { readonly code: string };
  expect(["upstream.invalid_answer", "ZlibError"]).toContain(code);
});

test("requests to one host share a connection", async () => {
  await using server = await openRawServer(answerOk);
  const upstream = openWithNames({ "api.example.com": ["127.0.0.1"] });
  for (let index = 0; index < 5; index++) {
    const response = await upstream.send(post(`http://api.example.com:${server.port}/`), unlimited);
    await textOf(response);
  }
  expect([server.connections(), server.requests.length]).toEqual([1, 5]);
});

test("a host behind an IPv6 address is reached", async () => {
  await using server = await openRawServer(answerOk, "::1");
  const upstream = openWithNames({ "six.example.com": ["::1"] });
  for (const host of ["six.example.com", "[::1]"]) {
    const response = await upstream.send(post(`http://${host}:${server.port}/`), unlimited);
    expect(await textOf(response)).toBe("ok");
  }
});

test("a refused connection proves that nothing was sent", async () => {
  const port = await closedPort();
  const thrown = await thrownBy(openWithNames({}).send(post(`http://127.0.0.1:${port}/`), unlimited));
  expect(thrown).toMatchObject({
    code: "upstream.connect_failed",
    source: "upstream",
    retry: "other-account",
  });
  expect((thrown as Fault).message).toContain("ECONNREFUSED");
  expect((thrown as Fault).isUnprocessed).toBe(true);
});

test("an unknown name proves that nothing was sent", async () => {
  const thrown = await thrownBy(openWithNames({}).send(post("http://gone.example.com/"), unlimited));
  expect(thrown).toMatchObject({ code: "upstream.connect_failed" });
  expect((thrown as Fault).isUnprocessed).toBe(true);
});

test("a name's next address is used when one cannot be connected to, and remembered", async () => {
  await using server = await openRawServer(answerOk);
  let lookups = 0;
  const upstream = openUpstream({
    allowPrivate: true,
    trustedOrigins: [],
    lookup: async () => {
      lookups++;
      return ["127.0.0.3", "127.0.0.2", "127.0.0.1"];
    },
  });
  for (let index = 0; index < 3; index++) {
    const response = await upstream.send(post(`http://api.example.com:${server.port}/`), unlimited);
    expect(await textOf(response)).toBe("ok");
  }
  expect([server.connections(), lookups]).toEqual([1, 1]);
});

test("a name with many dead addresses is not tried for ever", async () => {
  await using server = await openRawServer(answerOk);
  const dead = Array.from({ length: 9 }, (_, index) => `127.0.0.${index + 2}`);
  const upstream = openWithNames({ "api.example.com": [...dead, "127.0.0.1"] });
  const thrown = await thrownBy(upstream.send(post(`http://api.example.com:${server.port}/`), unlimited));
  expect(thrown).toMatchObject({ code: "upstream.connect_failed" });
  expect(server.connections()).toBe(0);
});

test.each([
  ["resets", (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy()],
  ["closes", (socket: { end(): void }) => socket.end()],
  [
    "breaks off its head",
    (socket: { end(text: string): void }) => socket.end("HTTP/1.1 200 OK\r\ncontent-le"),
  ],
] as const)("a request that reached a host which %s is not repeated", async (_, react) => {
  await using server = await openRawServer(react);
  const upstream = openWithNames({ "api.example.com": ["127.0.0.1", "127.0.0.1"] });
  const thrown = await thrownBy(upstream.send(post(`http://api.example.com:${server.port}/`), unlimited));
  expect(thrown).toMatchObject({ code: "upstream.reset" });
  expect((thrown as Fault).isUnprocessed).toBe(false);
  expect(server.requests).toHaveLength(1);
});

test("a request on a kept connection that breaks is not repeated", async () => {
  await using server = await openRawServer((socket, index) => {
    if (index === 0) socket.write(OK);
    else socket.resetAndDestroy();
  });
  const upstream = openWithNames({});
  const url = `http://127.0.0.1:${server.port}/`;
  await textOf(await upstream.send(post(url), unlimited));
  const thrown = await thrownBy(upstream.send(post(url), unlimited));
  expect(thrown).toMatchObject({ code: "upstream.reset" });
  expect((thrown as Fault).isUnprocessed).toBe(false);
  expect(server.requests).toHaveLength(2);
});

test("an answer that is not HTTP is named as such", async () => {
  await using server = await openRawServer((socket) => {
    socket.write("HTTP/1.1 two hundred\r\n\r\n");
  });
  const thrown = await thrownBy(openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited));
  expect(thrown).toMatchObject({ code: "upstream.invalid_answer" });
  expect((thrown as Fault).isUnprocessed).toBe(false);
});

test("a cancellation ends the wait for an answer with its own reason", async () => {
  const cancellation = new Cancellation();
  const reason = new Fault("upstream.timeout");
  await using server = await openRawServer(() => cancellation.cancel(reason));
  const upstream = openWithNames({});
  expect(await thrownBy(upstream.send(post(`http://127.0.0.1:${server.port}/`), cancellation))).toBe(reason);
  expect(await thrownBy(upstream.send(post("http://127.0.0.1:1/"), cancellation))).toBe(reason);
});

test("a cancellation ends the wait for a lookup with its own reason", async () => {
  const cancellation = new Cancellation();
  const reason = new Error("the client left");
  const lookup = () => {
    queueMicrotask(() => cancellation.cancel(reason));
    return new Promise<never>(() => {});
  };
  const upstream = openUpstream({ allowPrivate: true, trustedOrigins: [], lookup });
  expect(await thrownBy(upstream.send(post("http://slow.example.com/"), cancellation))).toBe(reason);
});

test("after an address kept silent, the name's next address is preferred", async () => {
  const cancellation = new Cancellation();
  await using silent = await openRawServer(() => cancellation.cancel(new Fault("upstream.timeout")));
  using server = Bun.serve({ hostname: "127.0.0.2", port: silent.port, fetch: () => new Response("second") });
  const upstream = openWithNames({ "api.example.com": ["127.0.0.1", "127.0.0.2"] });
  const url = `http://api.example.com:${server.port}/`;
  expect(await thrownBy(upstream.send(post(url), cancellation))).toMatchObject({
    code: "upstream.timeout",
  });
  expect(await textOf(await upstream.send(post(url), unlimited))).toBe("second");
  expect(silent.requests).toHaveLength(1);
});

test("faults never hold the request's credentials or body", async () => {
  await using server = await openRawServer((socket) => socket.resetAndDestroy());
  const port = await closedPort();
  for (const host of [
    `127.0.0.1:${server.port}`,
    `127.0.0.1:${port}`,
    "127.0.0.1:99999",
    "gone.example.com",
  ]) {
    const request = post(`http://${host}/?key=query-secret`, { authorization: "Bearer header-secret" });
    const thrown = (await thrownBy(openWithNames({}).send(request, unlimited))) as Fault;
    const shown = Bun.inspect(thrown) + JSON.stringify(thrown) + thrown.publicMessage;
    expect(shown).not.toContain("secret");
  }
});
