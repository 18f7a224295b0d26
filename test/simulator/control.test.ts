import { afterEach, beforeEach, expect, test } from "bun:test";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";
import { messageBody } from "./raw-client.ts";

let simulator: Simulator;

beforeEach(async () => {
  simulator = await startSimulator();
});
afterEach(() => simulator.stop());

const control = async (path: string, body?: unknown): Promise<Response> =>
  await fetch(
    `${simulator.url}/_simulator/${path}`,
    body === undefined ? {} : { method: "POST", body: JSON.stringify(body) },
  );

async function statusFor(key: string): Promise<number> {
  const headers = { "x-api-key": key, "anthropic-version": "2023-06-01" };
  const response = await fetch(`${simulator.url}/v1/messages`, {
    method: "POST",
    headers,
    body: messageBody(),
  });
  await response.text();
  return response.status;
}

test("a simulator is planned, observed and reset over HTTP", async () => {
  expect((await control("plan", { api_key: "a", plan: [{ status: 429 }, {}], repeat: true })).status).toBe(
    200,
  );
  expect((await control("plan", { plan: { status: 529 } })).status).toBe(200);
  expect([await statusFor("a"), await statusFor("a"), await statusFor("a")]).toEqual([429, 200, 429]);
  expect([await statusFor("b"), await statusFor("b")]).toEqual([529, 200]);

  const { attempts } = (await (await control("attempts?since=3")).json()) as { attempts: object[] };
  expect(attempts).toMatchObject([
    { sequence: 4, api_key: "b", status: 529, outcome: "completed", usage: { input_tokens: 0 } },
    { sequence: 5, status: 200, body_base64: Buffer.from(messageBody()).toString("base64") },
  ]);
  expect(await (await control("stats")).json()).toMatchObject({
    in_flight: 0,
    max_in_flight: 1,
    total: 5,
    by_key: { a: { in_flight: 0, max_in_flight: 1, total: 3 } },
    bill: { "claude-sonnet-4-6": { input_tokens: expect.any(Number) } },
  });

  expect((await control("reset", {})).status).toBe(200);
  expect(await (await control("stats")).json()).toMatchObject({ total: 0, bill: {} });
  expect(await statusFor("a")).toBe(200);
});

test.each([
  ["plan", { plan: { statsu: 500 } }, "statsu is not a known field"],
  ["plan", { plans: {} }, "plans is not a known field"],
  ["plan", {}, "must be an object"],
  ["plan", { plan: {}, api_key: 1 }, "api_key must be a string"],
  ["plan", { plan: {}, repeat: "yes" }, "repeat must be true or false"],
  ["attempts?since=x", undefined, "since: must be a sequence number"],
])("a control request that makes no sense is refused: %s %j", async (path, body, problem) => {
  const response = await control(path, body);
  expect(response.status).toBe(400);
  expect(await response.text()).toContain(problem);
});

test("a control route that is not there is 404", async () => {
  expect((await control("nothing")).status).toBe(404);
});
