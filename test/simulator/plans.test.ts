import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { Plan } from "#simulator/plan.ts";
import { PlanError, readPlan } from "#simulator/plan-reader.ts";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import { messageBody, post } from "./raw-client.ts";

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.stop());
beforeEach(() => simulator.reset());

async function statusFor(key: string, plan?: Plan): Promise<number> {
  const response = await post(simulator, messageBody(plan, false), "/v1/messages", { "x-api-key": key });
  await response.arrayBuffer();
  return response.status;
}

test("a request's own plan comes before the queue of its key, that before everybody's, that before success", async () => {
  simulator.plan({ status: 500, name: "everybody's" });
  simulator.plan([{ status: 429 }, { status: 529 }], { apiKey: "a" });
  expect(await statusFor("a", { status: 403 })).toBe(403);
  expect(await statusFor("a")).toBe(429);
  expect(await statusFor("b")).toBe(500);
  expect(await statusFor("a")).toBe(529);
  expect(await statusFor("a")).toBe(200);
  expect(simulator.attempts().map(({ plan }) => plan)).toEqual([
    "request",
    "queued",
    "everybody's",
    "queued",
    "default",
  ]);
});

test("repeated plans go round, and a later repeat replaces them", async () => {
  simulator.plan([{ status: 500 }, {}], { apiKey: "a", repeat: true });
  const seen = [await statusFor("a"), await statusFor("a"), await statusFor("a")];
  expect(seen).toEqual([500, 200, 500]);
  simulator.plan({ status: 429 }, { apiKey: "a", repeat: true });
  expect([await statusFor("a"), await statusFor("a")]).toEqual([429, 429]);
});

test("a request that is refused for itself uses up no plan", async () => {
  simulator.plan({ status: 500 });
  expect((await post(simulator, "{}")).status).toBe(400);
  expect(await statusFor("a")).toBe(500);
});

test("count_tokens follows plans too, and can report a planned figure", async () => {
  simulator.plan([{ status: 529 }, { usage: { input_tokens: 4711 } }]);
  const first = await post(simulator, messageBody(), "/v1/messages/count_tokens");
  expect(first.status).toBe(529);
  const second = await post(simulator, messageBody(), "/v1/messages/count_tokens");
  expect(await second.json()).toEqual({ input_tokens: 4711 });
});

test("a key with more in flight than its plan allows is answered 429 at once, and no other key is", async () => {
  const slow = { delay_ms: 50, in_flight_max: 2 };
  simulator.plan(slow, { apiKey: "a", repeat: true });
  const statuses = await Promise.all([statusFor("a"), statusFor("a"), statusFor("a"), statusFor("b", slow)]);
  expect(statuses.sort()).toEqual([200, 200, 200, 429]);
  expect(simulator.attempts().find(({ status }) => status === 429)?.apiKey).toBe("a");
  expect(await statusFor("a")).toBe(200);
});

test("headers of a plan are added and replace the usual ones, and an error body can be anything", async () => {
  simulator.plan({
    status: 502,
    error_body: "<html>bad gateway</html>",
    headers: { "Content-Type": "text/html", "Anthropic-Ratelimit-Tokens-Remaining": "0", "cf-ray": "1" },
  });
  const response = await post(simulator, messageBody());
  expect(response.status).toBe(502);
  expect(response.headers.get("content-type")).toBe("text/html");
  expect(response.headers.get("anthropic-ratelimit-tokens-remaining")).toBe("0");
  expect(response.headers.get("cf-ray")).toBe("1");
  expect(await response.text()).toBe("<html>bad gateway</html>");
});

test.each([
  [{ stats: 500 }, "stats is not a known field"],
  [{ toString: 1 }, "toString is not a known field"],
  [{ status: 302 }, "status must be 200 or 400 to 599"],
  [{ delay_ms: -1 }, "delay_ms must be a whole number"],
  [{ events: 1.5 }, "events must be a whole number"],
  [{ chunk_bytes: 0 }, "chunk_bytes must be"],
  [{ content: "image" }, "content must be one of"],
  [{ usage: { input: 1 } }, "usage input is not a known field"],
  [
    { usage: { cache_creation: { ephemeral_1d: 1 } } },
    "usage cache_creation ephemeral_1d is not a known field",
  ],
  [{ headers: { "a b": "c" } }, "headers has a header that cannot be sent"],
  [{ headers: { a: "b\r\nc: d" } }, "headers has a header that cannot be sent"],
  [{ fault: "stall" }, "fault must be an object with a kind"],
  [{ fault: { kind: "explode" } }, 'fault has no kind "explode"'],
  [{ fault: { kind: "stall" } }, "fault after_event is missing"],
  [{ fault: { kind: "stall", after_event: 1, by: "fin" } }, "fault by is not a known field"],
  [{ fault: { kind: "malformed_chunk", after_bytes: 1 } }, "fault after_event is missing"],
  [{ fault: { kind: "cut", after_event: 1, after_bytes: 1 } }, "after_event is not a known field"],
  [{ status: 500, fault: { kind: "ping_only" } }, "fault means nothing beside an error status"],
  [{ in_flight_max: 0 }, "in_flight_max must be a whole number"],
  [{ status: 500, in_flight_max: 1 }, "in_flight_max means nothing beside an error status"],
  [{ error_message: "no" }, "error_message means nothing without an error status"],
  [{ text: "a", text_bytes: 1 }, "text and text_bytes exclude each other"],
  [{ text: "a", events: 2 }, "events is more than text has characters"],
  [[], "must be an object"],
])("the plan %j is refused: %s", async (plan, problem) => {
  expect(() => readPlan(plan)).toThrow(PlanError);
  const body = JSON.stringify({ ...JSON.parse(messageBody()), simulator: plan });
  const response = await post(simulator, body);
  expect(response.status).toBe(400);
  expect(await response.text()).toContain(JSON.stringify(problem).slice(1, -1));
});

test("every problem of a plan is named at once", () => {
  expect(() => readPlan({ a: 1, b: 2 })).toThrow("a is not a known field; b is not a known field");
});
