import { afterAll, beforeAll, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import {
  createTenant,
  eventually,
  startGatewayProcess,
  type TestGateway,
  usageOf,
} from "#support/gateway.ts";

let gateway: TestGateway;
let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGatewayProcess({
    HTTP_THREADS: "2",
    PING_INTERVAL_SECONDS: "1",
    USER_WAIT_SECONDS: "2",
    ACCOUNT_WAIT_SECONDS: "30",
    ACCOUNT_WAITERS_MAX: "1000",
    LOG_LEVEL: "warn",
  });
}, 120_000);

afterAll(async () => {
  await gateway.dispose();
  await simulator.stop();
});

interface Ask {
  readonly key: string;
  readonly plan?: object;
  readonly stream?: boolean;
  readonly rest?: object;
}

function ask({ key, plan = {}, stream = true, rest = {} }: Ask): Promise<Response> {
  return fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": key },
    body: JSON.stringify({
      model: "claude-sonnet-4-6",
      max_tokens: 10,
      messages: [{ role: "user", content: "Hi" }],
      stream,
      simulator: plan,
      ...rest,
    }),
    // A connection of its own, so that the kernel spreads the requests over the threads.
    keepalive: false,
  });
}

const tenantWith = (user: Record<string, unknown>, account: Record<string, unknown> = {}) =>
  createTenant(gateway, { upstreamUrl: simulator.url, user, accounts: [account] });

test("200 clients on a limit of 5 over two threads: never more than 5 at once, served in the order of arrival", async () => {
  const credentials = { api_key: "five-at-once" };
  const tenant = await tenantWith({ concurrency: 0 }, { concurrency: 5, credentials });
  const answers: Promise<Response>[] = [];
  for (let place = 0; place < 200; place++) {
    answers.push(ask({ key: tenant.key, plan: { delay_ms: 40 }, stream: false, rest: { place } }));
    await Bun.sleep(2);
  }
  for (const answer of await Promise.all(answers)) expect(answer.status).toBe(200);
  const served = simulator
    .attempts()
    .filter(({ apiKey }) => apiKey === credentials.api_key)
    .map(({ body }) => (JSON.parse(Buffer.from(body ?? []).toString()) as { place: number }).place);
  expect(served.length).toBe(200);
  expect(simulator.stats().byKey[credentials.api_key]?.maxInFlight).toBe(5);
  // Requests that are sent within a few milliseconds of each other may arrive in either order; nobody is passed over.
  const displacements = served.map((place, turn) => Math.abs(place - turn));
  expect(Math.max(...displacements)).toBeLessThan(40);
}, 60_000);

test("a streaming client that stands in line gets pings, then its whole answer", async () => {
  const tenant = await tenantWith({ concurrency: 1 });
  const first = await ask({ key: tenant.key, plan: { events: 15, event_interval_ms: 100 } });
  const second = await ask({ key: tenant.key });
  expect(second.headers.get("content-type")).toStartWith("text/event-stream");
  const [, text] = await Promise.all([first.text(), second.text()]);
  expect(text).toMatch(/^(event: ping\ndata: \{"type": "ping"\}\n\n)+event: message_start/);
  expect(text).toEndWith('{"type":"message_stop"}\n\n');
});

test("a wait shorter than the interval costs the client nothing: no ping, and its own status", async () => {
  const tenant = await tenantWith({ concurrency: 1 });
  const first = await ask({ key: tenant.key, plan: { events: 3, event_interval_ms: 100 } });
  const second = await ask({ key: tenant.key, plan: { status: 400 } });
  expect(second.status).toBe(400);
  await first.text();
});

test("a refusal after the first ping is an error event; without a stream it keeps its own status", async () => {
  const tenant = await tenantWith({ concurrency: 1 });
  const first = await ask({ key: tenant.key, plan: { events: 40, event_interval_ms: 100 } });
  const [streamed, whole] = await Promise.all([
    ask({ key: tenant.key }),
    ask({ key: tenant.key, stream: false }),
  ]);
  expect(streamed.status).toBe(200);
  const events = (await streamed.text()).split("\n\n").filter((event) => event !== "");
  expect(events.at(0)).toStartWith("event: ping");
  expect(events.at(-1)).toMatch(/^event: error\ndata: \{"type":"error","error":\{"type":"rate_limit_error"/);
  expect(whole.status).toBe(429);
  expect(whole.headers.get("retry-after")).not.toBeNull();
  const { error } = (await whole.json()) as { error: { message: string } };
  expect(error.message).toContain("limit of 1");
  await first.body?.cancel();
});

test("a refusal of the upstream's after the first ping arrives as its own error, as an event", async () => {
  const tenant = await tenantWith({ concurrency: 1 });
  const first = await ask({ key: tenant.key, plan: { events: 15, event_interval_ms: 100 } });
  const second = await ask({ key: tenant.key, plan: { status: 400, error_message: "prompt is too long" } });
  expect(await second.text()).toContain('"message":"prompt is too long"');
  await first.text();
});

test("a line that is full refuses at once, and says how many wait", async () => {
  const tenant = await tenantWith({ concurrency: 1 });
  const first = await ask({ key: tenant.key, plan: { events: 60, event_interval_ms: 50 } });
  const waiting = Array.from({ length: 21 }, () => ask({ key: tenant.key, stream: false }));
  const status = () =>
    gateway.admin<{ waiting: number; oldest_wait_ms: number }>("GET", `/users/${tenant.userId}/status`);
  await eventually(status, (live) => live.waiting === 21);
  expect((await status()).oldest_wait_ms).toBeGreaterThan(0);
  const refused = await ask({ key: tenant.key, stream: false });
  expect(refused.status).toBe(429);
  expect(await refused.text()).toContain("21 are waiting");
  await first.body?.cancel();
  await Promise.all(waiting);
});

test("a raised limit lets those through who stand in line", async () => {
  const tenant = await tenantWith({ concurrency: 1 });
  const first = await ask({ key: tenant.key, plan: { events: 40, event_interval_ms: 100 } });
  const second = ask({ key: tenant.key, stream: false });
  const status = () => gateway.admin<{ waiting: number }>("GET", `/users/${tenant.userId}/status`);
  await eventually(status, ({ waiting }) => waiting === 1);
  await gateway.admin("PATCH", `/users/${tenant.userId}`, { concurrency: 2 });
  expect((await second).status).toBe(200);
  await first.body?.cancel();
});

test("a mapped model replaces exactly the bytes of the top-level model, and the row holds both", async () => {
  const credentials = { api_key: "mapped" };
  const mapping = { "claude-sonnet-*": "claude-haiku-4-5-20251001", "claude-sonnet-4-6": "claude-opus-4-6" };
  const tenant = await tenantWith({}, { credentials, model_mapping: mapping });
  const filler = '"model":"no" {model}'.repeat(60_000);
  const send = (model: string) =>
    `{"messages":[{"role":"user","content":${JSON.stringify(filler)}}],"x":{"model":"nested"}, "model" : "${model}" ,"max_tokens":1}`;
  const answer = await fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": tenant.key },
    body: send("claude-sonnet-4-6"),
  });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ model: "claude-sonnet-4-6" });
  const [attempt] = simulator.attempts().filter(({ apiKey }) => apiKey === "mapped");
  expect([attempt?.model, attempt?.bodyBytes]).toEqual(["claude-opus-4-6", send("claude-opus-4-6").length]);
  const [row] = await eventually(
    () => usageOf(gateway, tenant.userId),
    (rows) => rows.length > 0,
  );
  expect(row).toMatchObject({ model: "claude-sonnet-4-6", upstream_model: "claude-opus-4-6" });
  const streamed = await (await ask({ key: tenant.key, rest: { model: "claude-sonnet-4-5" } })).text();
  expect(streamed).toContain('"model":"claude-sonnet-4-5"');
  expect(streamed).not.toContain("claude-haiku");
  const unsupported = await ask({ key: tenant.key, rest: { model: "claude-opus-4-6" } });
  expect(unsupported.status).toBe(404);
});

test("a change through one thread holds on every thread when the call answers", async () => {
  const tenant = await tenantWith({});
  for (let turn = 0; turn < 5; turn++) {
    const status = turn % 2 === 0 ? "disabled" : "active";
    await gateway.admin("PATCH", `/api-keys/${tenant.keyId}`, { status });
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => ask({ key: tenant.key, stream: false })),
    );
    expect(new Set(answers.map((answer) => answer.status))).toEqual(
      new Set([status === "active" ? 200 : 401]),
    );
  }
});
