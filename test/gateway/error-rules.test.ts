import { describe, expect, test } from "bun:test";
import type { ErrorRule } from "#domain/error-rule.ts";
import { ruledFault } from "#gateway/error-rules.ts";
import { respondFault } from "#gateway/render-fault.ts";
import { Fault } from "#kernel/fault.ts";
import type { ErrorBody } from "#protocols/anthropic/error-body.ts";
import { readFault } from "#providers/anthropic/faults.ts";
import { answer, envelope } from "../providers/answers.ts";

const ruleOf = (fields: Partial<ErrorRule>): ErrorRule => ({
  id: 1,
  priority: 50,
  platforms: [],
  statuses: [],
  keywords: [],
  match: "any",
  responseStatus: undefined,
  message: undefined,
  skipsMonitoring: false,
  ...fields,
});
const CALL = { provider: { platform: "anthropic" } } as const;
const ruled = (fault: Fault, ...rules: readonly ErrorRule[]): Fault =>
  ruledFault(fault, CALL, { errorRules: () => rules });
const shown = async (fault: Fault) => {
  const response = respondFault(fault, { requestId: "req_own" });
  return { status: response.status, headers: response.headers, body: (await response.json()) as ErrorBody };
};

describe("without a rule a client is told", () => {
  const rows: readonly (readonly [number, number, string, string])[] = [
    [401, 502, "api_error", "Upstream authentication failed, please contact the administrator"],
    [402, 502, "api_error", "Upstream authentication failed, please contact the administrator"],
    [403, 502, "api_error", "Upstream access forbidden, please contact the administrator"],
    [429, 429, "rate_limit_error", "Upstream rate limit exceeded, please retry later"],
    [529, 529, "overloaded_error", "Upstream is overloaded, please retry later"],
    [500, 502, "api_error", "Upstream service temporarily unavailable"],
    [502, 502, "api_error", "Upstream service temporarily unavailable"],
    [503, 502, "api_error", "Upstream service temporarily unavailable"],
    [504, 502, "api_error", "Upstream service temporarily unavailable"],
    [599, 502, "api_error", "Upstream service temporarily unavailable"],
    [302, 502, "api_error", "Upstream sent an answer that could not be understood"],
  ];
  test.each(rows)("of %d: %d %s", async (status, expected, type, message) => {
    const fault = ruled(readFault(answer(status, envelope("secret inside"))));
    expect(await shown(fault)).toMatchObject({ status: expected, body: { error: { type, message } } });
  });

  test("of its own mistakes exactly what the upstream said", async () => {
    for (const status of [400, 404, 413, 422]) {
      const given = envelope("prompt is too long", "invalid_request_error");
      expect(await shown(ruled(readFault(answer(status, given))))).toMatchObject({ status, body: given });
    }
  });

  test("when the upstream wants to be asked again", async () => {
    const { headers } = await shown(readFault(answer(429, "", { "retry-after": "17" })));
    expect(headers.get("retry-after")).toBe("17");
  });

  test("the soonest time at which anything can help", async () => {
    const fault = readFault(answer(429, "", { "retry-after": "17" })).withRetryAfter(2_500);
    expect((await shown(fault)).headers.get("retry-after")).toBe("3");
    expect(fault).toMatchObject({
      code: "upstream.rate_limited",
      isUnprocessed: true,
      upstream: { status: 429 },
    });
  });
});

describe("a rule fits", () => {
  const overloaded = readFault(answer(529, envelope("Servers are BUSY now")));
  const fits = (fields: Partial<ErrorRule>, fault = overloaded): boolean =>
    ruled(fault, ruleOf({ message: "fits", ...fields })).publicMessage === "fits";

  test("by one of its statuses, or one of its words in any case", () => {
    expect(fits({ statuses: [500, 529] })).toBe(true);
    expect(fits({ statuses: [500] })).toBe(false);
    expect(fits({ keywords: ["nothing", "busy now"] })).toBe(true);
    expect(fits({ keywords: ["nothing"] })).toBe(false);
  });

  test("by any of its conditions, or all of them, as it says", () => {
    expect(fits({ statuses: [500], keywords: ["busy"], match: "any" })).toBe(true);
    expect(fits({ statuses: [500], keywords: ["busy"], match: "all" })).toBe(false);
    expect(fits({ statuses: [529], keywords: ["busy"], match: "all" })).toBe(true);
    expect(fits({ statuses: [529], match: "all" })).toBe(true);
  });

  test("nothing when it asks for nothing", () => {
    expect(fits({ match: "any" })).toBe(false);
    expect(fits({ match: "all" })).toBe(false);
  });

  test("only answers of its platforms", () => {
    expect(fits({ statuses: [529], platforms: ["openai", "anthropic"] })).toBe(true);
    expect(fits({ statuses: [529], platforms: ["openai"] })).toBe(false);
  });

  test("only by words within the first 8 KiB", () => {
    const at = (offset: number) => readFault(answer(500, `${" ".repeat(offset)}needle`));
    expect(fits({ keywords: ["needle"] }, at(8_186))).toBe(true);
    expect(fits({ keywords: ["needle"] }, at(8_187))).toBe(false);
  });

  test("only what an upstream has answered", () => {
    const silent = new Fault("upstream.reset");
    expect(ruled(silent, ruleOf({ statuses: [502] }))).toBe(silent);
  });
});

test("the first rule that fits decides", () => {
  const fault = readFault(answer(500, ""));
  const rules = [ruleOf({ statuses: [1], message: "a" }), ruleOf({ statuses: [500], message: "b" })];
  expect(ruled(fault, ...rules, ruleOf({ statuses: [500], message: "c" })).publicMessage).toBe("b");
});

test("a rule maps the status and replaces the message, and the type follows the status", async () => {
  const rule = ruleOf({ statuses: [400], responseStatus: 429, message: "Try tomorrow" });
  const fault = ruled(readFault(answer(400, envelope("not now"))), rule);
  expect(await shown(fault)).toMatchObject({
    status: 429,
    body: {
      type: "error",
      error: { type: "rate_limit_error", message: "Try tomorrow" },
      request_id: "req_own",
    },
  });
});

describe("a rule that passes on gives the upstream's status and words", () => {
  const rule = ruleOf({ statuses: [302, 403, 503] });
  const rows: readonly (readonly [string, object | string, string])[] = [
    ["error.message", envelope("in the envelope"), "in the envelope"],
    ["JSON within error.message", envelope(JSON.stringify(envelope("deep inside"))), "deep inside"],
    ["detail", { error: "odd", detail: "in detail", message: "unused" }, "in detail"],
    ["message", { message: "plain" }, "plain"],
    ["nowhere", "<html>", "Upstream service temporarily unavailable"],
  ];
  test.each(rows)("from %s", async (_, body, message) => {
    const { status, body: sent } = await shown(ruled(readFault(answer(503, body)), rule));
    expect([status, sent.error.message]).toEqual([503, message]);
  });

  test("unless the status is no error's", async () => {
    expect((await shown(ruled(readFault(answer(302)), rule))).status).toBe(502);
  });
});

test("a rule says whether operators want to hear of what fits it", () => {
  const fault = readFault(answer(500, ""));
  const skips = (skipsMonitoring: boolean) =>
    ruled(fault, ruleOf({ statuses: [500], skipsMonitoring })).skipsMonitoring;
  expect([fault.skipsMonitoring, skips(false), skips(true)]).toEqual([false, false, true]);
});
