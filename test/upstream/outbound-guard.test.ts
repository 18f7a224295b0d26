import { expect, test } from "bun:test";
import type { Clock } from "#kernel/clock.ts";
import { Fault } from "#kernel/fault.ts";
import { headerOf } from "#kernel/headers.ts";
import { ANSWER_MS_MAX } from "#upstream/resolver.ts";
import { openUpstream } from "#upstream/send.ts";

import { answerOk, openRawServer } from "./raw-server.ts";
import { openWithNames, post, textOf, thrownBy, unlimited } from "./requests.ts";
import { FORBIDDEN_SPELLINGS } from "./spellings.ts";

const strict = { allowPrivate: false };

test.each(FORBIDDEN_SPELLINGS)("%s is refused when a request is sent", async (spelling) => {
  const upstream = openWithNames({}, strict);
  const thrown = await thrownBy(upstream.send(post(`${spelling}:9/v1/messages`), unlimited));
  expect(thrown).toMatchObject({ code: "upstream.forbidden_address" });
  expect((thrown as Fault).isUnprocessed).toBe(true);
});

test.each([
  [["127.0.0.1"]],
  [["::1"]],
  [["10.1.2.3"]],
  [["169.254.169.254"]],
  [["::ffff:127.0.0.1"]],
  [["64:ff9b::7f00:1"]],
  [["93.184.215.14", "127.0.0.1"]],
  [["127.0.0.1", "93.184.215.14"]],
  [["fe80::1%lo"]],
  [["not an address"]],
])("a name that resolves to %p is refused without a connection", async (addresses) => {
  await using server = await openRawServer(answerOk);
  const upstream = openWithNames({ "api.example.com": addresses }, strict);
  const thrown = await thrownBy(upstream.send(post(`http://api.example.com:${server.port}/`), unlimited));
  expect(thrown).toMatchObject({ code: "upstream.forbidden_address" });
  expect(server.connections()).toBe(0);
});

test("a name that was public when it was stored is judged again when it is connected to", async () => {
  await using server = await openRawServer(answerOk);
  let nowMs = 0;
  const clock: Clock = { now: () => nowMs, monotonic: () => nowMs };
  const answers = [["93.184.215.14"], ["127.0.0.1"]];
  const upstream = openUpstream({
    ...strict,
    trustedOrigins: [],
    clock,
    lookup: async () => answers.shift() ?? [],
  });
  const url = `http://rebinding.example.com:${server.port}`;
  expect(await upstream.checkBaseUrl(url)).toEqual({ ok: true, url });
  nowMs += ANSWER_MS_MAX;
  expect(await thrownBy(upstream.send(post(url), unlimited))).toMatchObject({
    code: "upstream.forbidden_address",
  });
  expect(server.connections()).toBe(0);
});

test("the connection goes to the address that was judged, not to a later answer", async () => {
  await using server = await openRawServer(answerOk);
  const answers = [["127.0.0.1"], ["192.0.2.1"]];
  const upstream = openUpstream({
    allowPrivate: true,
    trustedOrigins: [],
    lookup: async () => answers.shift() ?? [],
  });
  for (let index = 0; index < 3; index++) {
    const response = await upstream.send(post(`http://api.example.com:${server.port}/v1`), unlimited);
    expect(await textOf(response)).toBe("ok");
  }
  expect(answers).toHaveLength(1);
  expect(server.requests[0]).toContain(`Host: api.example.com:${server.port}\r\n`);
});

test.each(["file:///etc/passwd", "ftp://1.1.1.1/", "s3://bucket/key", "data:,x", "blob:http://1.1.1.1/x"])(
  "%s does not leave the house",
  async (url) => {
    const thrown = await thrownBy(openWithNames({}).send(post(url), unlimited));
    expect(thrown).toMatchObject({ code: "upstream.forbidden_address" });
  },
);

test("a trusted origin is reached without judgement, its neighbours are not", async () => {
  await using server = await openRawServer(answerOk);
  await using other = await openRawServer(answerOk);
  const trustedOrigins = [`http://127.0.0.1:${server.port}`];
  const upstream = openUpstream({ ...strict, trustedOrigins });
  const response = await upstream.send(post(`http://127.0.0.1:${server.port}/v1/messages`), unlimited);
  expect(await textOf(response)).toBe("ok");
  for (const origin of [`http://127.0.0.1:${other.port}`, `http://127.1.1.1:${server.port}`]) {
    expect(await thrownBy(upstream.send(post(`${origin}/v1/messages`), unlimited))).toBeInstanceOf(Fault);
  }
  expect(other.connections()).toBe(0);
});

test("a redirect comes back as it is and is not followed", async () => {
  await using target = await openRawServer(answerOk);
  const location = `http://127.0.0.1:${target.port}/latest/meta-data`;
  await using server = await openRawServer((socket) => {
    socket.write(`HTTP/1.1 307 Temporary Redirect\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);
  });
  const response = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
  expect(response.status).toBe(307);
  expect(headerOf(response.headers, "location")).toBe(location);
  expect(target.connections()).toBe(0);
});

test("proxies named by the environment are not used", async () => {
  await using proxy = await openRawServer(answerOk);
  await using server = await openRawServer(answerOk);
  const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"];
  const before = names.map((name) => [name, process.env[name]] as const);
  try {
    for (const name of names) process.env[name] = `http://127.0.0.1:${proxy.port}`;
    const response = await openWithNames({}).send(post(`http://127.0.0.1:${server.port}/`), unlimited);
    expect(await textOf(response)).toBe("ok");
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
  expect(proxy.connections()).toBe(0);
});
