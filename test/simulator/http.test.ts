import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import { eventually, KEY, messageBody, post, RawClient, requestBytes } from "./raw-client.ts";

const MIB = 1024 * 1024;
const LAST_CHUNK = "0\r\n\r\n";

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.stop());
beforeEach(() => simulator.reset());
afterEach(() => eventually(() => simulator.stats().openSockets === 0));

const answersIn = (client: RawClient): number => client.text().split("HTTP/1.1 200 OK").length - 1;

test("a request may arrive byte by byte", async () => {
  const client = new RawClient(simulator.port);
  for (const byte of Buffer.from(requestBytes(messageBody()))) {
    client.send(Uint8Array.of(byte));
    await Bun.sleep(0);
  }
  await client.untilText(LAST_CHUNK);
  client.leave();
});

test("a chunked request body is put together, wherever its pieces are cut", async () => {
  const body = messageBody({ text: "ünïcödé 🌊" }, false);
  const bytes = Buffer.from(body);
  const chunks = [bytes.subarray(0, 1), bytes.subarray(1, 60), bytes.subarray(60)];
  const framed = Buffer.concat([
    ...chunks.flatMap((chunk) => [
      Buffer.from(`${chunk.length.toString(16)};x=y\r\n`),
      chunk,
      Buffer.from("\r\n"),
    ]),
    Buffer.from("0\r\nTrailer: yes\r\n\r\n"),
  ]);
  const head = requestBytes("", { "Transfer-Encoding": "chunked" }).replace("Content-Length: 0\r\n", "");
  for (const step of [1, 5, 1000]) {
    const client = new RawClient(simulator.port);
    client.send(head);
    for (let at = 0; at < framed.length; at += step) {
      client.send(framed.subarray(at, at + step));
      await Bun.sleep(0);
    }
    await client.untilText("ünïcödé 🌊");
    client.leave();
  }
  expect(simulator.attempts().map(({ body: seen }) => Buffer.from(seen ?? []).toString())).toEqual([
    body,
    body,
    body,
  ]);
});

test("one connection serves many requests, those sent ahead in order", async () => {
  const client = new RawClient(simulator.port);
  for (const text of ["first", "second"]) {
    client.send(requestBytes(messageBody({ text }, false)));
    await client.untilText(text);
  }
  const ahead = ["third", "fourth"].map((text) => requestBytes(messageBody({ text, delay_ms: 5 }, false)));
  client.send(ahead.join(""));
  await client.untilText("fourth");
  expect(answersIn(client)).toBe(4);
  expect(client.text().indexOf("third")).toBeLessThan(client.text().indexOf("fourth"));
  expect(simulator.stats()).toMatchObject({ total: 4, maxInFlight: 1, openSockets: 1 });
  client.leave();
});

test.each([
  ["the request says so", { Connection: "close" }, undefined],
  ["the plan says so", {}, { headers: { Connection: "close" } }],
])("the connection closes after the answer when %s", async (_when, headers, plan) => {
  const client = new RawClient(simulator.port);
  client.send(requestBytes(messageBody(plan), headers as Record<string, string>));
  expect(await client.untilClosed()).toBe("fin");
  expect(client.text()).toEndWith(LAST_CHUNK);
  expect(simulator.attempts()[0]?.outcome).toBe("completed");
});

test("a client that waits for leave to send its body gets it", async () => {
  const client = new RawClient(simulator.port);
  const [head = "", body = ""] = requestBytes(messageBody(), { Expect: "100-continue" }).split("\r\n\r\n");
  client.send(`${head}\r\n\r\n`);
  await client.untilText("HTTP/1.1 100 Continue\r\n\r\n");
  client.send(body);
  await client.untilText(LAST_CHUNK);
  client.leave();
});

test("a body of 60 MiB is taken, one of more than 64 MiB is refused in Anthropic's envelope", async () => {
  const padding = " ".repeat(60 * MIB);
  const response = await post(simulator, padding + messageBody(undefined, false));
  expect(response.status).toBe(200);
  await response.text();
  const [attempt] = simulator.attempts();
  expect(attempt?.bodyBytes).toBeGreaterThan(60 * MIB);
  expect(attempt?.body).toBeUndefined();

  const client = new RawClient(simulator.port);
  client.send(requestBytes("", { "Content-Length": `${64 * MIB + 1}` }));
  client.send("the beginning of it");
  expect(await client.untilClosed()).toBe("fin");
  expect(client.text()).toStartWith("HTTP/1.1 413 ");
  expect(client.text()).toContain('"type":"request_too_large"');
});

test.each([
  ["no HTTP at all", "hello\r\n\r\n"],
  ["a length that is no number", requestBytes("", { "Content-Length": "1x" })],
  ["two ways to tell the length", requestBytes("", { "Transfer-Encoding": "chunked" })],
  ["headers without end", `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(20_000)}`],
])("%s is refused and the connection closed", async (_what, bytes) => {
  const client = new RawClient(simulator.port);
  client.send(bytes);
  await client.untilClosed();
  expect(client.text()).toMatch(/^HTTP\/1\.1 4\d\d /);
});

const VALID = { model: "m", max_tokens: 1, messages: [{ role: "user", content: "Hi" }] };

test.each([
  ["/v1/messages", VALID, 200, ""],
  ["/any/base/path/v1/messages?beta=true", VALID, 200, ""],
  ["/v1/messages", { ...VALID, model: undefined }, 400, "model: Field required"],
  ["/v1/messages", { ...VALID, max_tokens: undefined }, 400, "max_tokens: Field required"],
  ["/v1/messages", { ...VALID, messages: undefined }, 400, "messages: Field required"],
  ["/v1/messages", { ...VALID, messages: [] }, 400, "messages: at least one message is required"],
  ["/v1/messages", { ...VALID, stream: "yes" }, 400, "stream: Input should be a valid boolean"],
  ["/v1/messages/count_tokens", { ...VALID, max_tokens: undefined }, 200, ""],
  ["/v1/complete", VALID, 404, "Not Found"],
  ["/v1/models", VALID, 405, "Method Not Allowed"],
])("POST %s with %j is answered %i %s", async (path, body, status, message) => {
  const response = await post(simulator, JSON.stringify(body), path);
  expect(response.status).toBe(status);
  expect(response.headers.get("request-id")).toMatch(/^req_sim_\d+$/);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.get("anthropic-ratelimit-requests-remaining")).toMatch(/^\d+$/);
  const text = await response.text();
  if (message !== "") expect(JSON.parse(text)).toMatchObject({ type: "error", error: { message } });
});

test("invalid JSON, a missing key and a missing version are refused in that order of rank", async () => {
  const head = { "x-api-key": KEY, "anthropic-version": "2023-06-01", connection: "close" };
  const status = async (headers: Record<string, string>, body: string): Promise<[number, string]> => {
    const response = await fetch(`${simulator.url}/v1/messages`, { method: "POST", headers, body });
    const { error } = (await response.json()) as { error: { type: string } };
    return [response.status, error.type];
  };
  expect(await status({ connection: "close" }, "{")).toEqual([401, "authentication_error"]);
  expect(await status({ "x-api-key": KEY, connection: "close" }, "{")).toEqual([
    400,
    "invalid_request_error",
  ]);
  expect(await status(head, "{")).toEqual([400, "invalid_request_error"]);
});
