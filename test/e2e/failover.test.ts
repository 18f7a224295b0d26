import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Plan } from "#simulator/plan.ts";
import type { Tenant } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage({
    FIRST_TOKEN_TIMEOUT_SECONDS: "1",
    RESPONSE_TIMEOUT_SECONDS: "1",
    STREAM_IDLE_SECONDS: "1",
  });
  await stage.set({ same_account_delay_ms: 20 });
}, 60_000);
afterAll(() => stage.close());

/** A tenant whose first account does as planned, and whose second answers as it should. */
async function tenantWithFirst(plan: Plan): Promise<Tenant> {
  const tenant = await stage.tenant([{ priority: 1 }, { priority: 2 }]);
  stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[0], repeat: true });
  return tenant;
}

/** How often each of a tenant's accounts was asked. */
function asked({ upstreamKeys }: Tenant): readonly number[] {
  return upstreamKeys.map((key) => stage.attemptsOf(key).length);
}

const FAULTS: readonly (readonly [string, Plan, ("streamed" | "whole")[]])[] = [
  ...[401, 402, 403, 408, 429, 500, 502, 503, 529].map(
    (status): readonly [string, Plan, ("streamed" | "whole")[]] => [
      `status ${status}`,
      { status },
      ["streamed", "whole"],
    ],
  ),
  ["a reset before its headers", { fault: { kind: "reset_before_headers" } }, ["streamed", "whole"]],
  ["a connection closed unanswered", { fault: { kind: "close_before_headers" } }, ["streamed", "whole"]],
  ["silence", { fault: { kind: "silence_before_headers" } }, ["streamed", "whole"]],
  ["headers and then silence", { fault: { kind: "headers_then_silence" } }, ["streamed"]],
  ["silence after message_start", { fault: { kind: "message_start_then_silence" } }, ["streamed"]],
  ["pings and nothing else", { fault: { kind: "ping_only" }, event_interval_ms: 50 }, ["streamed"]],
  ["an error event before its first delta", { fault: { kind: "error_event", after_event: 0 } }, ["streamed"]],
  ["an end before its first delta", { fault: { kind: "cut", after_event: 0 } }, ["streamed"]],
];

for (const [fault, plan, forms] of FAULTS) {
  for (const form of forms) {
    test.concurrent(`${fault} is cured by a second account, ${form}: a complete answer and one row`, async () => {
      const tenant = await tenantWithFirst(plan);
      const answer = await stage.ask(tenant.key, { stream: form === "streamed" });
      const text = await answer.text();
      expect(answer.status).toBe(200);
      if (form === "streamed") {
        expect(text).toEndWith('event: message_stop\ndata: {"type":"message_stop"}\n\n');
        expect(text.match(/^event: (message_start|error)$/gm)).toEqual(["event: message_start"]);
      } else expect(JSON.parse(text)).toMatchObject({ type: "message", stop_reason: "end_turn" });
      expect(asked(tenant)).toEqual([1, 1]);
      expect(await stage.onlyRow(tenant)).toMatchObject({
        status: "completed",
        attempts: 2,
        account_id: tenant.accountIds[1] as number,
      });
    });
  }
}

const LATE_FAULTS: readonly (readonly [string, Plan])[] = [
  ["an error event", { fault: { kind: "error_event", after_event: 2 } }],
  ["a cut", { fault: { kind: "cut", after_event: 2 } }],
  ["a reset", { fault: { kind: "cut", after_event: 2, by: "rst" } }],
  ["silence", { fault: { kind: "stall", after_event: 2 } }],
];

for (const [fault, plan] of LATE_FAULTS) {
  test.concurrent(`${fault} after the first delta is told as an error event, without a second attempt`, async () => {
    // The pause lets the first delta leave by itself: what comes together with a fault may be lost with it.
    const tenant = await tenantWithFirst({ ...plan, event_interval_ms: 30 });
    const text = await (await stage.ask(tenant.key, { stream: true })).text();
    const events = text.split("\n\n").filter((event) => event !== "");
    expect(text).toContain("event: content_block_delta");
    expect(events.at(-1)).toMatch(/^event: error\ndata: \{"type":"error","error":\{"type":"\w+_error"/);
    expect(text).not.toContain("message_stop");
    expect(asked(tenant)).toEqual([1, 0]);
    expect(await stage.onlyRow(tenant)).toMatchObject({ attempts: 1 });
  });
}

test("a stream cut in the middle of an event too long to hold back still ends with an error event of its own", async () => {
  const tenant = await tenantWithFirst({
    events: 2,
    text_bytes: 600_000,
    fault: { kind: "cut", after_bytes: 900_000 },
  });
  const text = await (await stage.ask(tenant.key, { stream: true })).text();
  const events = text.split("\n\n").filter((event) => event !== "");
  expect(events.at(-1)).toMatch(/^event: error\ndata: \{"type":"error"/);
});

const envelope = (message: string): string =>
  `{"type": "error",\n "error": {"message":"${message}", "type":"invalid_request_error"}, "extra":[1.0]}`;
const REFUSALS: readonly (readonly [string, number, string])[] = [
  ["a context that is too long", 400, envelope("prompt is too long: 210000 tokens > 200000 maximum")],
  ["an invalid request", 400, envelope("messages.0.content: Field required")],
  ["a content policy", 400, envelope("Output blocked by content filtering policy")],
  ["an unknown model", 404, envelope("model: claude-none")],
  ["a body that is no JSON", 422, "<html>no — 世界</html>"],
];

for (const [what, status, body] of REFUSALS) {
  test.concurrent(`a refusal for ${what} is tried once and arrives byte for byte`, async () => {
    for (const stream of [false, true]) {
      const tenant = await tenantWithFirst({ status, error_body: body });
      const answer = await stage.ask(tenant.key, { stream });
      expect([answer.status, await answer.text()]).toEqual([status, body]);
      expect(asked(tenant)).toEqual([1, 0]);
      expect(await stage.onlyRow(tenant)).toMatchObject({ attempts: 1, http_status: status });
    }
  });
}

describe("a pool in which everybody is at the limit", () => {
  test("tells the soonest time at which one of them is free, and goes on doing so without asking", async () => {
    const tenant = await stage.tenant([{ priority: 1 }, { priority: 2 }]);
    for (const [index, seconds] of ["7", "3"].entries()) {
      const plan = { status: 429, headers: { "retry-after": seconds } };
      stage.simulator.plan(plan, { apiKey: tenant.upstreamKeys[index], repeat: true });
    }
    for (const stream of [false, true, false]) {
      const answer = await stage.ask(tenant.key, { stream });
      const text = await answer.text();
      expect(answer.status).toBe(429);
      expect(["2", "3"]).toContain(answer.headers.get("retry-after") ?? "");
      expect(JSON.parse(text)).toMatchObject({ type: "error", error: { type: "rate_limit_error" } });
      expect(text).not.toMatch(/no (available )?account/i);
      expect(asked(tenant)).toEqual([1, 1]);
    }
  });

  test("is served again when the soonest has rested", async () => {
    const tenant = await stage.tenant([{}]);
    stage.simulator.plan(
      { status: 429, headers: { "retry-after": "1" } },
      { apiKey: tenant.upstreamKeys[0] },
    );
    expect((await stage.ask(tenant.key)).status).toBe(429);
    await Bun.sleep(1_050);
    expect((await stage.ask(tenant.key)).status).toBe(200);
  });
});

describe("a group's only account", () => {
  test("is asked again when its upstream is unavailable for a moment", async () => {
    const tenant = await stage.tenant([{}]);
    stage.simulator.plan([{ status: 503 }, { status: 503 }], { apiKey: tenant.upstreamKeys[0] });
    const answer = await stage.ask(tenant.key);
    expect([answer.status, asked(tenant)]).toEqual([200, [3]]);
    expect(await stage.onlyRow(tenant)).toMatchObject({ status: "completed", attempts: 3 });
  });

  test("is not sent a request again that it may have accepted", async () => {
    for (const kind of ["reset_before_headers", "close_before_headers", "silence_before_headers"] as const) {
      const tenant = await stage.tenant([{}]);
      stage.simulator.plan({ fault: { kind } }, { apiKey: tenant.upstreamKeys[0] });
      const answer = await stage.ask(tenant.key);
      expect([kind, answer.status >= 500, asked(tenant)]).toEqual([kind, true, [1]]);
      expect(await stage.onlyRow(tenant)).toMatchObject({ status: "failed", attempts: 1 });
    }
  });
});

test("no more accounts are asked than the setting allows", async () => {
  await stage.set({ switches_max: 2 });
  try {
    const tenant = await stage.tenant([1, 2, 3, 4, 5].map((priority) => ({ priority })));
    for (const apiKey of tenant.upstreamKeys) stage.simulator.plan({ status: 502 }, { apiKey, repeat: true });
    const answer = await stage.ask(tenant.key);
    expect([answer.status, asked(tenant)]).toEqual([502, [1, 1, 1, 0, 0]]);
  } finally {
    await stage.set({ switches_max: null });
  }
});
