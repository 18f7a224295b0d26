import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import type { Outcome } from "#simulator/attempt.ts";
import type { Plan, PlanFault } from "#simulator/plan.ts";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import { ask, eventually, messageBody, post, type RawClient } from "./raw-client.ts";

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.stop());
beforeEach(() => simulator.reset());
afterEach(() => eventually(() => simulator.stats().openSockets === 0));

const FIVE_DELTAS: Plan = { text_bytes: 10, events: 5 };
const LAST_CHUNK = "0\r\n\r\n";
const deltasIn = (client: RawClient): number => client.text().split("event: content_block_delta").length - 1;
const withFault = (fault: PlanFault): RawClient => ask(simulator, { ...FIVE_DELTAS, fault });

async function outcome(): Promise<Outcome | undefined> {
  await eventually(() => simulator.stats().inFlight === 0);
  return simulator.attempts()[0]?.outcome;
}

test("reset_before_headers sends an RST and nothing else", async () => {
  const client = withFault({ kind: "reset_before_headers" });
  expect(await client.untilClosed()).toBe("rst");
  expect(client.bytes().length).toBe(0);
  expect(await outcome()).toBe("reset");
  expect(simulator.attempts()[0]?.status).toBeUndefined();
});

test("close_before_headers sends a FIN and nothing else", async () => {
  const client = withFault({ kind: "close_before_headers" });
  expect(await client.untilClosed()).toBe("fin");
  expect(client.bytes().length).toBe(0);
  expect(await outcome()).toBe("cut");
});

test("silence_before_headers never answers and holds the socket until the client leaves", async () => {
  const client = withFault({ kind: "silence_before_headers" });
  await eventually(() => simulator.stats().inFlight === 1);
  await Bun.sleep(50);
  expect(client.bytes().length).toBe(0);
  expect(client.ending).toBeUndefined();
  client.leave();
  expect(await outcome()).toBe("stalled");
});

test.each([true, false])(
  "headers_then_silence sends a whole head and not one byte more (stream %p)",
  async (stream) => {
    const client = ask(simulator, { fault: { kind: "headers_then_silence" } }, stream);
    await client.untilText("\r\n\r\n");
    await Bun.sleep(50);
    expect(client.text()).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(client.text()).toEndWith("\r\n\r\n");
    expect(client.ending).toBeUndefined();
    client.leave();
    expect(await outcome()).toBe("stalled");
  },
);

test("fetch sees the head of a response that then stays silent", async () => {
  const body = messageBody({ fault: { kind: "headers_then_silence" } });
  const response = await post(simulator, body);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  await response.body?.cancel();
});

test("message_start_then_silence stops after the first event", async () => {
  const client = withFault({ kind: "message_start_then_silence" });
  await client.untilText("message_start");
  await Bun.sleep(50);
  expect(client.text().match(/event: /g)).toHaveLength(1);
  client.leave();
  expect(await outcome()).toBe("stalled");
});

test("ping_only sends pings for as long as the client stays", async () => {
  const client = ask(simulator, { event_interval_ms: 5, fault: { kind: "ping_only" } });
  await client.until((seen) => seen.text().split("event: ping").length > 4);
  expect(client.text()).not.toContain("message_start");
  client.leave();
  expect(await outcome()).toBe("client_gone");
});

test.each([0, 3, 5])(
  "stall after event %i sends exactly that many deltas and keeps the socket open",
  async (count) => {
    const client = withFault({ kind: "stall", after_event: count });
    await client.until((seen) => seen.text().includes("content_block_start") && deltasIn(seen) >= count);
    await Bun.sleep(50);
    expect(deltasIn(client)).toBe(count);
    expect(client.text()).not.toContain("content_block_stop");
    expect(client.ending).toBeUndefined();
    client.leave();
    expect(await outcome()).toBe("stalled");
  },
);

test.each(["fin", "rst"] as const)(
  "cut closes in the middle of the body by %s, what came before is read",
  async (by) => {
    const client = withFault({ kind: "cut", after_event: 2, by });
    expect(await client.untilClosed()).toBe(by);
    expect(deltasIn(client)).toBe(2);
    expect(client.text()).not.toEndWith(LAST_CHUNK);
    expect(await outcome()).toBe(by === "fin" ? "cut" : "reset");
  },
);

test.each([true, false])("cut can fall on any byte of the body (stream %p)", async (stream) => {
  const client = ask(simulator, { fault: { kind: "cut", after_bytes: 33 } }, stream);
  expect(await client.untilClosed()).toBe("fin");
  const body = client.text().split("\r\n\r\n").slice(1).join("\r\n\r\n");
  expect(stream ? body.length : Buffer.byteLength(body)).toBe(stream ? "21\r\n".length + 33 + 2 : 33);
});

test("a cut body fails in fetch instead of looking whole", async () => {
  for (const stream of [true, false]) {
    const response = await post(simulator, messageBody({ fault: { kind: "cut", after_bytes: 50 } }, stream));
    await expect(response.text()).rejects.toThrow();
  }
});

test("malformed_chunk breaks the framing after the events that were right", async () => {
  const client = withFault({ kind: "malformed_chunk", after_event: 1 });
  await client.untilClosed();
  expect(deltasIn(client)).toBe(1);
  expect(client.text()).toEndWith("xyz\r\nthis is no chunk\r\n");
  const response = await post(simulator, messageBody({ fault: { kind: "malformed_chunk", after_event: 1 } }));
  await expect(response.text()).rejects.toThrow();
});

test("malformed_event slips in one line that is not JSON and goes on", async () => {
  const client = withFault({ kind: "malformed_event", after_event: 1 });
  await client.untilText(LAST_CHUNK);
  const data = client.text().match(/^data: .*$/gm) ?? [];
  const broken = data.filter((line) => {
    try {
      JSON.parse(line.slice("data: ".length));
      return false;
    } catch {
      return true;
    }
  });
  expect(broken).toHaveLength(1);
  expect(deltasIn(client)).toBe(6);
  expect(client.text()).toContain("message_stop");
  client.leave();
  expect(await outcome()).toBe("completed");
});

test("error_event ends the body properly, before the first delta when told so", async () => {
  const client = withFault({ kind: "error_event", after_event: 0 });
  await client.untilText(LAST_CHUNK);
  expect(deltasIn(client)).toBe(0);
  expect(client.text()).toContain(
    'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
  );
  expect(client.text()).not.toContain("message_stop");
  client.leave();
});

test("missing_message_stop lacks that event alone", async () => {
  const client = withFault({ kind: "missing_message_stop" });
  await client.untilText(LAST_CHUNK);
  expect(client.text()).toContain("message_delta");
  expect(client.text()).not.toContain("message_stop");
  client.leave();
});

test("missing_terminator sends every event and no last chunk", async () => {
  const closed = withFault({ kind: "missing_terminator", socket: "closed" });
  expect(await closed.untilClosed()).toBe("fin");
  expect(closed.text()).toContain("message_stop");
  expect(closed.text()).not.toEndWith(LAST_CHUNK);
  const open = withFault({ kind: "missing_terminator", socket: "open" });
  await open.untilText("message_stop");
  await Bun.sleep(50);
  expect(open.text()).not.toEndWith(LAST_CHUNK);
  expect(open.ending).toBeUndefined();
  open.leave();
});

test("a fault that cannot happen is refused instead of passing silently", async () => {
  const impossible: [Plan, boolean][] = [
    [{ ...FIVE_DELTAS, fault: { kind: "stall", after_event: 6 } }, true],
    [{ fault: { kind: "stall", after_event: 1 } }, false],
    [{ fault: { kind: "missing_message_stop" } }, false],
  ];
  for (const [plan, stream] of impossible) {
    expect((await post(simulator, messageBody(plan, stream))).status).toBe(400);
  }
});

test("an answer waits as long as planned, and pauses between events", async () => {
  const begun = performance.now();
  const client = ask(simulator, { delay_ms: 40, event_interval_ms: 20, text_bytes: 1, events: 3, pings: 0 });
  await client.untilText("HTTP/1.1");
  expect(performance.now() - begun).toBeGreaterThan(35);
  expect(client.text()).not.toContain(LAST_CHUNK);
  await client.untilText(LAST_CHUNK);
  expect(performance.now() - begun).toBeGreaterThan(90);
  client.leave();
});
