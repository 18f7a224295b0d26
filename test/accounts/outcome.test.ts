import { describe, expect, test } from "bun:test";
import { judge, type OutcomeFacts, type Verdict } from "#accounts/outcome.ts";
import type { Account } from "#domain/account.ts";
import type { CoolingReason } from "#domain/account-event.ts";
import type { UnschedulableRule } from "#domain/account-limits.ts";
import { DEFAULT_SETTINGS, type RuntimeSettings } from "#domain/settings.ts";
import { Fault } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import { readFault, readStreamError } from "#providers/anthropic/faults.ts";
import { NO_LIMITS } from "#providers/provider.ts";
import { answer, envelope } from "../providers/answers.ts";
import { accountWith, NOON } from "./pool.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const WEEK = 604_800_000;
const NOTHING = { action: undefined, countsAsFailure: false, retrySame: false };
const FAILURE = { ...NOTHING, countsAsFailure: true };

interface Given extends Partial<Omit<OutcomeFacts, "account" | "settings">> {
  readonly account?: Partial<Account>;
  readonly settings?: Partial<RuntimeSettings>;
}

const judged = (fault: Fault, { account, settings, ...facts }: Given = {}) =>
  judge(fault, {
    account: accountWith({ ...account, id: 7 }),
    settings: { ...DEFAULT_SETTINGS, ...settings },
    limits: NO_LIMITS,
    isOnlyAccount: false,
    nowMs: NOON,
    countStrike: () => 1,
    isQuoted: () => false,
    ...facts,
  });
const answered = (status: number, body: object | string = "", headers: object = {}): Fault =>
  readFault(answer(status, body, headers));
const fails = (cooling: CoolingReason, why: string): Verdict => ({
  ...NOTHING,
  action: { kind: "fail", cooling, why },
});
/** How long it rests, in milliseconds. */
const restOf = (fault: Fault, given?: Given): number | undefined => {
  const { action } = judged(fault, given);
  return action?.kind === "cool" ? action.untilMs - NOON : undefined;
};
const rule = (fields: Partial<UnschedulableRule> = {}): UnschedulableRule => ({
  status: 400,
  keywords: ["quota"],
  minutes: 5,
  scope: "account",
  ...fields,
});

describe("an account fails for good on", () => {
  const rows: readonly (readonly [number, object | string, CoolingReason, string])[] = [
    [
      401,
      envelope("invalid x-api-key"),
      "credential_rejected",
      "Authentication failed (401): invalid x-api-key",
    ],
    [401, "", "credential_rejected", "Authentication failed (401): invalid or expired credentials"],
    [402, "", "credential_rejected", "Payment required (402): insufficient balance or billing issue"],
    [402, { detail: "pay first" }, "credential_rejected", "Payment required (402): pay first"],
    [403, "", "forbidden", "Access forbidden (403): account may be suspended or lack permissions"],
    [
      400,
      envelope("This organization has been disabled."),
      "forbidden",
      "Organization disabled (400): This organization has been disabled.",
    ],
    [
      400,
      envelope("Your credit balance is too low to go on"),
      "credential_rejected",
      "Credit balance exhausted (400): Your credit balance is too low to go on",
    ],
  ];
  test.each(rows)("%d %j", (status, body, cooling, why) => {
    expect(judged(answered(status, body))).toEqual(fails(cooling, why));
  });
});

describe("nothing is held against an account for", () => {
  const rows: readonly (readonly [string, Fault])[] = [
    ...[400, 404, 413, 422].map((status) => [`a ${status}`, answered(status, envelope("no"))] as const),
    [
      "an error in the stream about the request",
      readStreamError({ type: "invalid_request_error", message: "" }),
    ],
    ...(["admit.client_gone", "admit.queue_full", "gateway.internal"] as const).map(
      (code: FaultCode) => [code, new Fault(code)] as const,
    ),
  ];
  test.each(rows)("%s", (_, fault) => {
    expect(judged(fault)).toEqual(NOTHING);
    expect(judged(fault, { account: { handledStatuses: [] } })).toEqual(NOTHING);
  });
});

describe("a failure is counted for", () => {
  const codes: readonly FaultCode[] = [
    "upstream.forbidden_address",
    "upstream.connect_failed",
    "upstream.reset",
    "upstream.timeout",
    "upstream.broken",
    "upstream.stalled",
    "upstream.invalid_answer",
  ];
  test.each(codes)("%s", (code) => {
    expect(judged(new Fault(code))).toEqual(FAILURE);
    expect(judged(new Fault(code), { account: { isPool: true } })).toEqual(FAILURE);
  });
  test.each([302, 408, 500, 502, 503, 504])("a %d", (status) => {
    expect(judged(answered(status))).toEqual(FAILURE);
  });
  test("an error within a stream", () => {
    expect(judged(readStreamError({ type: "api_error", message: "" }))).toEqual(FAILURE);
    expect(judged(readStreamError({ type: "overloaded_error", message: "" })).countsAsFailure).toBe(true);
  });
});

test("a rate limit is no failure", () => {
  expect(judged(answered(429)).countsAsFailure).toBe(false);
});

describe("after a 429 an account rests", () => {
  const limits = { ...NO_LIMITS, refusedUntilMs: NOON + 40 * MINUTE };

  test("for as long as retry-after says, whatever else is told", () => {
    expect(restOf(answered(429, "", { "retry-after": "5" }), { limits })).toBe(5 * SECOND);
  });
  test("else until the limits are over", () => {
    expect(restOf(answered(429), { limits })).toBe(40 * MINUTE);
    expect(restOf(answered(429, "", { "retry-after": "0" }), { limits })).toBe(40 * MINUTE);
  });
  test.each([
    [1, 5],
    [2, 10],
    [3, 20],
    [7, 300],
    [1_100, 300],
  ])("else, at refusal %d in a row, for %d seconds", (strikes, seconds) => {
    expect(restOf(answered(429), { countStrike: () => strikes })).toBe(seconds * SECOND);
  });
  test("else as the settings have it", () => {
    const settings = { rate_limit_cooldown_seconds: 3, rate_limit_cooldown_seconds_max: 7 };
    const rests = [1, 2, 3].map((strikes) => restOf(answered(429), { settings, countStrike: () => strikes }));
    expect(rests).toEqual([3 * SECOND, 6 * SECOND, 7 * SECOND]);
  });
  test("no longer for a refusal that was under way when the rest began", () => {
    expect(judged(answered(429), { countStrike: () => 0 })).toEqual(NOTHING);
  });
  test("a week at most", () => {
    expect(restOf(answered(429, "", { "retry-after": "9999999999" }))).toBe(WEEK);
    expect(restOf(answered(429), { limits: { ...limits, refusedUntilMs: NOON + 2 * WEEK } })).toBe(WEEK);
  });
  test("with its reason in words", () => {
    expect(judged(answered(429, envelope("too fast"))).action).toMatchObject({
      cooling: "rate_limited",
      why: "Rate limited (429): too fast",
    });
  });
});

describe("after a 529 an account rests", () => {
  const rows: readonly (readonly [string, number | undefined, Given, object])[] = [
    ["for ten minutes", 10 * MINUTE, {}, {}],
    ["for as long as the setting says", 3 * MINUTE, { settings: { overload_cooldown_minutes: 3 } }, {}],
    ["not at all where the setting says so", undefined, { settings: { overload_cooldown: false } }, {}],
    ["for as long as retry-after says", 20 * SECOND, {}, { "retry-after": "20" }],
    [
      "only shortly if the group has no other",
      10 * SECOND,
      { isOnlyAccount: true, countStrike: () => 2 },
      {},
    ],
  ];
  test.each(rows)("%s", (_, expected, given, headers) => {
    const fault = answered(529, "", headers);
    expect(restOf(fault, given)).toBe(expected);
    expect(judged(fault, given).countsAsFailure).toBe(true);
  });
});

test("a 503 that says when to come back is believed, other errors of a server are not asked", () => {
  expect(restOf(answered(503, "", { "retry-after": "4" }))).toBe(4 * SECOND);
  expect(restOf(answered(500, "", { "retry-after": "4" }))).toBeUndefined();
});

describe("an account that stands for a pool", () => {
  test.each([401, 403, 429])("is asked again after a %d", (status) => {
    expect(judged(answered(status), { account: { isPool: true } })).toEqual({ ...NOTHING, retrySame: true });
  });
  test.each([400, 402, 500, 503, 529])("is left alone after a %d", (status) => {
    const account = { isPool: true, unschedulableRules: [rule({ status, keywords: ["x"] })] };
    expect(judged(answered(status, "x"), { account })).toEqual(NOTHING);
  });
  test("is taken out of use for statuses that were chosen, and asked again after others", () => {
    const account = { isPool: true, handledStatuses: [403] };
    expect(judged(answered(403), { account }).action?.kind).toBe("fail");
    expect(judged(answered(401), { account })).toEqual({ ...NOTHING, retrySame: true });
  });
});

describe("where statuses were chosen", () => {
  const account = { handledStatuses: [401, 418, 429], unschedulableRules: [rule({ status: 418 }), rule()] };
  test("all others change nothing, rules included", () => {
    for (const status of [400, 402, 403, 500, 529]) {
      expect(judged(answered(status, "quota"), { account })).toEqual(NOTHING);
    }
  });
  test("each of them takes the account out of use, also those that would usually make it rest", () => {
    expect(judged(answered(429), { account })).toEqual(
      fails("forbidden", "Custom error code 429: no reason given"),
    );
    expect(judged(answered(418, envelope("teapot")), { account })).toEqual(
      fails("forbidden", "Custom error code 418: teapot"),
    );
    expect(judged(answered(401), { account }).action).toMatchObject({ cooling: "credential_rejected" });
  });
  test("rules come before them", () => {
    expect(judged(answered(418, "quota"), { account }).action).toMatchObject({
      kind: "cool",
      cooling: "rule",
    });
  });
  test("an empty list means every answer that can be the account's fault", () => {
    const all = { handledStatuses: [] };
    expect(judged(answered(500), { account: all }).action?.kind).toBe("fail");
    expect(judged(answered(404), { account: all })).toEqual(NOTHING);
  });
});

describe("a rule", () => {
  const by = (unschedulableRules: readonly UnschedulableRule[], fault: Fault) =>
    judged(fault, { account: { unschedulableRules } });

  test("makes the account rest for its minutes, even where the request was to blame", () => {
    expect(by([rule()], answered(400, envelope("Monthly QUOTA used")))).toEqual({
      ...NOTHING,
      action: {
        kind: "cool",
        cooling: "rule",
        untilMs: NOON + 5 * MINUTE,
        why: 'Rule: status 400 with "quota"',
      },
    });
  });
  test("makes it rest for the model where it says so", () => {
    expect(by([rule({ scope: "model" })], answered(400, "quota")).action).toEqual({
      kind: "cool-model",
      untilMs: NOON + 5 * MINUTE,
      why: 'Rule: status 400 with "quota"',
    });
  });
  test("comes before what the status usually means, and the first that fits decides", () => {
    const rules = [
      rule({ status: 403, keywords: ["none"] }),
      rule({ status: 403, minutes: 1 }),
      rule({ status: 403 }),
    ];
    expect(by(rules, answered(403, "quota")).action).toMatchObject({ untilMs: NOON + MINUTE });
  });
  test("needs its status, and one of its words within the first 64 KiB", () => {
    const late = answered(400, `${" ".repeat(65_536)}quota`);
    for (const fault of [answered(404, "quota"), answered(400, "other"), answered(400), late]) {
      expect(by([rule()], fault)).toEqual(NOTHING);
    }
  });
  test("does not look at a 401", () => {
    expect(by([rule({ status: 401 })], answered(401, "quota")).action?.kind).toBe("fail");
  });
  test("makes an account rest for a week at most", () => {
    const { action } = by([rule({ minutes: 1e9 })], answered(400, "quota"));
    expect(action).toMatchObject({ untilMs: NOON + WEEK });
  });
});

describe("the words that are kept", () => {
  const words = (message: string): string => judged(answered(403, envelope(message))).action?.why ?? "";

  test("hold no secrets", () => {
    const message =
      "https://x/?key=AIza1&access_token=ya29.b refresh_token=1//c client_secret=d Bearer eyJhbGciOi sk-ant-api03-abcdefgh";
    expect(words(message)).toBe(
      "Access forbidden (403): https://x/?key=***&access_token=*** refresh_token=*** client_secret=*** Bearer *** sk-***",
    );
  });
  test("are no longer than 512 bytes, cut between characters", () => {
    const message = words("é".repeat(400)).slice("Access forbidden (403): ".length);
    expect(message).toBe("é".repeat(256));
  });
});

test("words that a client has written itself take no account out of use", () => {
  const rule = { status: 400, keywords: ["quota"], minutes: 60, scope: "account" } as const;
  const account = { unschedulableRules: [rule] };
  const refused = answered(400, envelope('Unknown block type "quota"', "invalid_request_error"));
  expect(judged(refused, { account, isQuoted: (words) => words === "quota" }).action).toBeUndefined();
  expect(judged(refused, { account }).action?.kind).toBe("cool");
});
