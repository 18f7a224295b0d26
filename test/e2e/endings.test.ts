import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import {
  createTenant,
  eventually,
  startGatewayProcess,
  type TestGateway,
  usageOf,
} from "#support/gateway.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const PAGE_BYTES = 4_096;
const hello = { model: "claude-sonnet-4-6", max_tokens: 100, messages: [{ role: "user", content: "Hello" }] };

let gateway: TestGateway;
let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
  gateway = await startGatewayProcess({ STREAM_IDLE_SECONDS: "1", DRAIN_SECONDS: "2", LOG_LEVEL: "warn" });
}, 120_000);

afterAll(async () => {
  await gateway.dispose();
  await simulator.stop();
});

const tenantFor = (user: object = {}) =>
  createTenant(gateway, { upstreamUrl: simulator.url, user: { concurrency: 0, ...user } });

function stream(key: string, plan: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${gateway.url}/v1/messages`, {
    method: "POST",
    headers: { "x-api-key": key, "content-type": "application/json" },
    body: JSON.stringify({ ...hello, stream: true, simulator: plan }),
    ...(signal === undefined ? {} : { signal }),
  });
}

async function inFlight({
  userId,
  accountIds,
}: {
  userId: number;
  accountIds: readonly number[];
}): Promise<number> {
  const user = await gateway.admin<{ in_flight: number }>("GET", `/users/${userId}/status`);
  const account = await gateway.admin<{ in_flight: number }>("GET", `/accounts/${accountIds[0]}/status`);
  return user.in_flight + account.in_flight;
}

function residentBytes(): number {
  return Number(readFileSync(`/proc/${gateway.pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES;
}

test("a whole stream is booked as completed and gives every slot back", async () => {
  const tenant = await tenantFor();
  expect(await (await stream(tenant.key, {})).text()).toEndWith('{"type":"message_stop"}\n\n');
  await eventually(
    () => usageOf(gateway, tenant.userId),
    (rows) => rows[0]?.status === "completed",
  );
  expect(await inFlight(tenant)).toBe(0);
});

// With pauses between the events, so that the first content is seen before the break; a stream that breaks
// before it is no answer yet, and is tried elsewhere.
const breaks = [
  ["is cut between two events", { fault: { kind: "cut", after_event: 3 } }],
  ["is cut within an event", { fault: { kind: "cut", after_bytes: 900 } }],
  ["is reset", { fault: { kind: "cut", after_event: 3, by: "rst" } }],
  ["breaks its framing", { fault: { kind: "malformed_chunk", after_event: 2 } }],
  ["ends without its last event", { fault: { kind: "missing_message_stop" } }],
] as const;
for (const [what, plan] of breaks) {
  test(`a stream that ${what} ends with an error event and is booked as broken`, async () => {
    const tenant = await tenantFor();
    const text = await (await stream(tenant.key, { ...plan, chunk_bytes: 64, event_interval_ms: 5 })).text();
    const events = text.split("\n\n").filter((event) => event !== "");
    expect(events.at(-1)).toStartWith('event: error\ndata: {"type":"error","error":{"type":"api_error"');
    for (const event of events) expect(event).toMatch(/^event: \w+\ndata: \{.*\}$/);
    await eventually(
      () => usageOf(gateway, tenant.userId),
      (rows) => rows[0]?.status === "upstream_broke",
    );
    expect(await inFlight(tenant)).toBe(0);
  });
}

test("a stream that falls silent ends with an error event within the limit and is booked as stalled", async () => {
  const tenant = await tenantFor();
  const text = await (await stream(tenant.key, { fault: { kind: "stall", after_event: 3 } })).text();
  expect(text).toContain("event: error");
  const [row] = await eventually(
    () => usageOf(gateway, tenant.userId),
    (rows) => rows.length > 0,
  );
  expect(row).toMatchObject({ status: "upstream_stalled" });
  expect(row?.input_tokens).toBeGreaterThan(0);
  expect(await inFlight(tenant)).toBe(0);
});

test("a client that leaves mid-stream frees its own slot at once and is charged what the upstream charges", async () => {
  const tenant = await tenantFor();
  const leaving = new AbortController();
  const usage = { input_tokens: 11, output_tokens: 222 };
  const answer = await stream(tenant.key, { events: 40, event_interval_ms: 20, usage }, leaving.signal);
  await answer.body?.getReader().read();
  leaving.abort();
  const user = () => gateway.admin<{ in_flight: number }>("GET", `/users/${tenant.userId}/status`);
  await eventually(user, ({ in_flight }) => in_flight === 0, 500);
  const [row] = await eventually(
    () => usageOf(gateway, tenant.userId),
    (rows) => rows.length > 0,
  );
  expect(row).toMatchObject({
    status: "client_gone",
    http_status: 499,
    input_tokens: 11,
    output_tokens: 222,
  });
  expect(await inFlight(tenant)).toBe(0);
});

test("a client that leaves a long stream is drained for no longer than the limit", async () => {
  const tenant = await tenantFor();
  const leaving = new AbortController();
  const answer = await stream(tenant.key, { events: 2_000, event_interval_ms: 20 }, leaving.signal);
  await answer.body?.getReader().read();
  leaving.abort();
  const started = performance.now();
  await eventually(
    () => usageOf(gateway, tenant.userId),
    (rows) => rows.length > 0,
  );
  expect(performance.now() - started).toBeLessThan(4_000);
  expect(await inFlight(tenant)).toBe(0);
});

test("a client that leaves before the upstream has answered ends the upstream's call at once", async () => {
  const tenant = await tenantFor();
  const leaving = new AbortController();
  const answer = stream(tenant.key, { delay_ms: 20_000, name: "never answered" }, leaving.signal).catch(
    () => undefined,
  );
  const attempt = () => simulator.attempts().find(({ plan }) => plan === "never answered");
  await eventually(attempt, (found) => found !== undefined);
  leaving.abort();
  await answer;
  await eventually(attempt, (found) => found?.outcome === "client_gone", 2_000);
  await eventually(
    () => usageOf(gateway, tenant.userId),
    (rows) => rows[0]?.status === "client_gone",
  );
  expect(await inFlight(tenant)).toBe(0);
});

test("1,000 streams left at random bytes: one row each, nothing in flight, memory flat", async () => {
  const tenant = await tenantFor({ balance_usd: "100000" });
  const shuffle = new Shuffle(11);
  const before = simulator.stats().total;
  let resident = 0;
  const leaveAtRandom = async (): Promise<void> => {
    const leaving = new AbortController();
    let bytes = shuffle.below(9_000);
    try {
      const answer = await stream(
        tenant.key,
        { events: 40, text_bytes: 100, event_interval_ms: 1 },
        leaving.signal,
      );
      for await (const chunk of answer.body ?? []) {
        bytes -= chunk.length;
        if (bytes <= 0) leaving.abort();
      }
    } catch (thrown) {
      if (!leaving.signal.aborted) throw thrown;
    }
  };
  for (let round = 0; round < 40; round++) {
    await Promise.all(Array.from({ length: 25 }, leaveAtRandom));
    if (round === 19) resident = residentBytes();
  }
  expect(residentBytes() - resident).toBeLessThan(20_000_000);
  const rows = await eventually(
    () => usageOf(gateway, tenant.userId),
    (found) => found.length >= 1_000,
    20_000,
  );
  expect(rows.length).toBe(1_000);
  expect(new Set(rows.map((row) => row.request_id)).size).toBe(1_000);
  expect(simulator.stats().total - before).toBe(1_000);
  expect(await inFlight(tenant)).toBe(0);
}, 120_000);

test("an upstream id of any length is booked with the rest", async () => {
  const tenant = await tenantFor();
  const id = Array.from({ length: 6_000 }, (_, at) =>
    String.fromCharCode(33 + ((at * 7919 + (at >> 3)) % 90)),
  ).join("");
  await (await stream(tenant.key, { headers: { "request-id": id } })).text();
  await eventually(
    () => usageOf(gateway, tenant.userId),
    (rows) => rows.length === 1,
  );
});

test("a client that stops reading 200 MB holds up the upstream, not our memory", async () => {
  const tenant = await tenantFor();
  const leaving = new AbortController();
  await (await stream(tenant.key, { events: 200, text_bytes: 1_000 })).text();
  const before = residentBytes();
  const answer = await stream(tenant.key, { events: 2_000, text_bytes: 100_000 }, leaving.signal);
  // Kept until the end: a reader that is collected lets the rest of the body run through.
  const reader = answer.body?.getReader();
  await reader?.read();
  let most = 0;
  for (let look = 0; look < 30; look++) {
    await Bun.sleep(100);
    most = Math.max(most, residentBytes() - before);
  }
  leaving.abort();
  expect(reader).toBeDefined();
  expect(most).toBeLessThan(30_000_000);
  expect(simulator.attempts().at(-1)?.bytesSent).toBeLessThan(60_000_000);
}, 30_000);
