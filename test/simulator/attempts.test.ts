import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { Plan } from "#simulator/plan.ts";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import { ask, eventually, KEY, messageBody, post, RawClient, requestBytes } from "./raw-client.ts";

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.stop());
beforeEach(() => simulator.reset());

const USAGE = {
  input_tokens: 100,
  output_tokens: 50,
  cache_read_input_tokens: 7,
  cache_creation: { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 },
};

const idle = (): Promise<void> => eventually(() => simulator.stats().inFlight === 0);

test("an attempt tells everything about the request, header names as they were sent", async () => {
  const body = messageBody({ name: "mine", usage: USAGE });
  const client = new RawClient(simulator.port);
  client.send(requestBytes(body, { "X-Odd-CASE": "Value" }, "/base/v1/messages?beta=true"));
  await client.untilText("0\r\n\r\n");
  const [attempt] = simulator.attempts();
  expect(attempt).toMatchObject({
    method: "POST",
    path: "/base/v1/messages?beta=true",
    apiKey: KEY,
    bodyBytes: Buffer.byteLength(body),
    plan: "mine",
    model: "claude-sonnet-4-6",
    stream: true,
    status: 200,
    outcome: "completed",
    bytesSent: client.bytes().length,
    usage: { ...USAGE, cache_creation_input_tokens: 7 },
  });
  expect(attempt?.headers).toContainEqual(["X-Odd-CASE", "Value"]);
  expect(Buffer.from(attempt?.body ?? []).toString()).toBe(body);
  expect(attempt?.endedAtMs).toBeGreaterThanOrEqual(attempt?.receivedAtMs ?? Number.POSITIVE_INFINITY);
  client.leave();
});

/** What a gateway books has to equal this bill, however an answer ended. */
test("the bill is what the bytes sent have announced", async () => {
  const partly: Plan = { text_bytes: 4, events: 4, usage: USAGE, fault: { kind: "cut", after_event: 2 } };
  const broken = await post(simulator, messageBody(partly));
  await broken.text().catch(() => {});
  await (await post(simulator, messageBody({ usage: USAGE }))).text();
  await (await post(simulator, messageBody({ usage: USAGE }, false))).text();
  await (await post(simulator, messageBody({ status: 500, usage: USAGE }))).text();
  await idle();
  expect(simulator.attempts().map(({ usage }) => usage.output_tokens)).toEqual([1, 50, 50, 0]);
  expect(simulator.stats().bill).toEqual({
    "claude-sonnet-4-6": {
      input_tokens: 300,
      output_tokens: 101,
      cache_read_input_tokens: 21,
      cache_creation_input_tokens: 21,
      cache_creation: { ephemeral_5m_input_tokens: 9, ephemeral_1h_input_tokens: 12 },
    },
  });
});

test("usage is derived from request and answer when it is not planned, the same way every time", async () => {
  const ask = async (): Promise<unknown> => {
    const response = await post(simulator, messageBody(undefined, false));
    const { usage } = (await response.json()) as { usage: unknown };
    return usage;
  };
  expect(await ask()).toEqual(await ask());
});

test("message_delta can repeat the whole usage, which is still billed once", async () => {
  const response = await post(simulator, messageBody({ usage: USAGE, delta_usage: "cumulative" }));
  const text = await response.text();
  expect(text).toMatch(/event: message_delta\ndata: .*"input_tokens":100,.*"output_tokens":50\}/);
  expect(simulator.stats().bill["claude-sonnet-4-6"]).toMatchObject({ input_tokens: 100, output_tokens: 50 });
});

test("traffic is counted over all and by key, and comes back to zero", async () => {
  const silent: Plan = { fault: { kind: "headers_then_silence" } };
  const clients = [ask(simulator, silent), ask(simulator, silent), ask(simulator, silent)];
  const other = await post(simulator, messageBody(), "/v1/messages", { "x-api-key": "other" });
  await other.text();
  await eventually(() => simulator.stats().inFlight === 3);
  expect(simulator.stats().byKey[KEY]).toEqual({ inFlight: 3, maxInFlight: 3, total: 3 });
  for (const client of clients) client.leave();
  await idle();
  expect(simulator.stats()).toMatchObject({ inFlight: 0, total: 4 });
  expect(simulator.stats().maxInFlight).toBeGreaterThanOrEqual(3);
  expect(simulator.stats().byKey[KEY]).toEqual({ inFlight: 0, maxInFlight: 3, total: 3 });
  await eventually(() => simulator.stats().openSockets === 0);
});

test("an answer the client did not wait for ends as client_gone", async () => {
  const client = ask(simulator, { event_interval_ms: 10, text_bytes: 1, events: 1000 });
  await client.untilText("content_block_delta");
  client.leave();
  await idle();
  expect(simulator.attempts()[0]?.outcome).toBe("client_gone");
});

test("a reset forgets the past but not what is in flight, and bills that to nobody", async () => {
  const client = ask(simulator, { fault: { kind: "message_start_then_silence" } });
  await client.untilText("message_start");
  simulator.reset();
  expect(simulator.attempts()).toEqual([]);
  expect(simulator.stats()).toMatchObject({ inFlight: 1, maxInFlight: 1, total: 0 });
  client.leave();
  await idle();
  expect(simulator.stats().bill).toEqual({});
});

test("the log keeps the latest attempts, and bodies of the latest and not too long ones", async () => {
  const small = await startSimulator({ attemptsMax: 300, keptBodyBytesMax: 200 });
  try {
    const client = new RawClient(small.port);
    for (let sent = 1; sent <= 310; sent += 1) client.send(requestBytes(messageBody(undefined, false)));
    client.send(requestBytes(messageBody({ text: "x".repeat(300) }, false)));
    await eventually(() => small.stats().total === 311);
    const attempts = small.attempts();
    expect(attempts.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 300 }, (_, index) => index + 12),
    );
    expect(attempts.filter(({ body }) => body !== undefined)).toHaveLength(255);
    expect(attempts.at(-1)?.body).toBeUndefined();
    expect(small.attempts(310)).toHaveLength(1);
  } finally {
    await small.stop();
  }
});
