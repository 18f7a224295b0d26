import { describe, expect, test } from "bun:test";
import { AccountHealth } from "#accounts/account-health.ts";
import type { Account } from "#domain/account.ts";
import type { AccountEvent } from "#domain/account-event.ts";
import { DEFAULT_SETTINGS, type RuntimeSettings } from "#domain/settings.ts";
import { Fault } from "#kernel/fault.ts";
import { readFault } from "#providers/anthropic/faults.ts";
import { NO_LIMITS } from "#providers/provider.ts";
import { answer } from "../providers/answers.ts";
import { accountWith, NOON } from "./pool.ts";
import { BoardDouble } from "./vitals-double.ts";

const SECOND = 1_000;
const MINUTE = 60_000;
const MARK = {
  requestId: "req_1",
  model: "claude-sonnet-4-6",
  isOnlyAccount: false,
  isProbe: false,
  isFirstFailure: true,
  body: new Uint8Array(),
};

/** An account's health with a clock that stands still until it is told. */
class Ward {
  readonly board = new BoardDouble();
  readonly events: AccountEvent[] = [];
  readonly account: Account;
  readonly health: AccountHealth;
  nowMs = NOON;

  constructor(settings: Partial<RuntimeSettings> = {}, account: Partial<Account> = {}) {
    this.account = accountWith({ ...account, id: 7 });
    this.health = new AccountHealth({
      vitals: this.board,
      settings: () => ({ ...DEFAULT_SETTINGS, ...settings }),
      clock: { now: () => this.nowMs },
      note: (event) => this.events.push(event),
    });
  }

  get vitals() {
    return this.board.at(this.account.id);
  }

  get kinds(): readonly string[] {
    return this.events.map(({ kind }) => kind);
  }

  answers(status: number, headers: object = {}, body: object | string = ""): void {
    this.fails(readFault(answer(status, body, headers)));
  }

  fails(fault: Fault): void {
    this.health.failed(this.account, fault, MARK);
  }
}

test("what is left of the rate limits is remembered, and an answer that does not say changes nothing", () => {
  const ward = new Ward();
  ward.health.responded(ward.account, NO_LIMITS);
  ward.health.responded(ward.account, {
    headroom: 0.3,
    headroomResetMs: NOON + 1,
    refusedUntilMs: undefined,
  });
  expect(ward.vitals.noted).toEqual([{ share: 0.3, resetMs: NOON + 1 }]);
});

test("a rest is noted once, with its reason, however many requests find it", () => {
  const ward = new Ward();
  for (let count = 0; count < 3; count++) {
    ward.answers(429, { "retry-after": "5" });
    ward.nowMs += 300;
  }
  expect(ward.vitals.coolingUntilMs).toBe(NOON + 600 + 5 * SECOND);
  expect(ward.events).toEqual([
    {
      accountId: ward.account.id,
      kind: "cooled",
      reason: "Rate limited (429): no reason given",
      cooling: "rate_limited",
      model: undefined,
      untilMs: NOON + 5 * SECOND,
      status: 429,
      requestId: "req_1",
      atMs: NOON,
    },
  ]);
});

test("a rest of one second is noted, and so is each new one, and one that grows by much", () => {
  const ward = new Ward();
  ward.answers(429, { "retry-after": "1" });
  ward.answers(429, { "retry-after": "3" });
  ward.nowMs += 4 * SECOND;
  ward.answers(429, { "retry-after": "1" });
  expect(ward.events.map(({ untilMs }) => (untilMs ?? 0) - NOON)).toEqual([1, 3, 5].map((s) => s * SECOND));
});

test("a sooner end changes nothing and is not noted", () => {
  const ward = new Ward();
  ward.answers(529);
  ward.answers(429, { "retry-after": "5" });
  expect(ward.vitals).toMatchObject({ coolingUntilMs: NOON + 10 * MINUTE, coolingReason: "overloaded" });
  expect(ward.kinds).toEqual(["cooled"]);
});

test("refusals without a hint that were under way together count as one", () => {
  const ward = new Ward();
  const restAfter = (refusals: number): number => {
    ward.nowMs = Math.max(ward.nowMs, ward.vitals.coolingUntilMs);
    for (let count = 0; count < refusals; count++) ward.answers(429);
    return ward.vitals.coolingUntilMs - ward.nowMs;
  };
  expect([restAfter(10), restAfter(10), restAfter(1)]).toEqual([5 * SECOND, 10 * SECOND, 20 * SECOND]);
  ward.health.succeeded(ward.account, 0);
  expect(restAfter(10)).toBe(5 * SECOND);
});

test("the headers of a 429 say how long it lasts", () => {
  const ward = new Ward();
  ward.answers(429, { "anthropic-ratelimit-unified-reset": String((NOON + 30 * MINUTE) / 1_000) });
  expect(ward.vitals.coolingUntilMs).toBe(NOON + 30 * MINUTE);
});

test("a success ends no rest", () => {
  const ward = new Ward();
  ward.answers(429, { "retry-after": "5" });
  ward.health.succeeded(ward.account, 250);
  expect(ward.vitals).toMatchObject({ coolingUntilMs: NOON + 5 * SECOND, firstTokenMs: 250 });
});

test("a rest for one model is noted once and leaves the account alone", () => {
  const unschedulableRules = [{ status: 400, keywords: ["quota"], minutes: 5, scope: "model" }] as const;
  const ward = new Ward({}, { unschedulableRules });
  ward.answers(400, {}, "quota");
  ward.answers(400, {}, "quota");
  expect(ward.board.modelCoolingUntilMs(ward.account.id, MARK.model)).toBe(NOON + 5 * MINUTE);
  expect(ward.vitals.coolingUntilMs).toBe(0);
  expect(ward.events).toEqual([
    expect.objectContaining({
      kind: "model_cooled",
      model: MARK.model,
      untilMs: NOON + 5 * MINUTE,
      status: 400,
    }),
  ]);
});

test("an account that fails is left alone at once, and its failure is noted once", () => {
  const ward = new Ward();
  ward.answers(401);
  ward.nowMs += 10 * SECOND;
  ward.answers(401);
  expect(ward.vitals).toMatchObject({
    coolingReason: "credential_rejected",
    coolingUntilMs: NOON + 70 * SECOND,
  });
  expect(ward.events).toEqual([
    expect.objectContaining({
      kind: "failed",
      cooling: "credential_rejected",
      untilMs: undefined,
      status: 401,
    }),
  ]);
});

test("an account that is found failing again after its rest is noted again", () => {
  const ward = new Ward();
  ward.answers(403);
  ward.nowMs += 61 * SECOND;
  ward.answers(403);
  expect(ward.kinds).toEqual(["failed", "failed"]);
});

test("a circuit that opens and closes is noted, with the failure that opened it", () => {
  const ward = new Ward({ circuit_failures: 2 });
  for (let count = 0; count < 4; count++)
    ward.fails(new Fault("upstream.reset", { internal: "ECONNRESET from h" }));
  ward.health.succeeded(ward.account, 10);
  ward.health.succeeded(ward.account, 10);
  expect(ward.kinds).toEqual(["circuit_opened", "circuit_closed"]);
  expect(ward.events[0]?.reason).toBe(
    "Too many failures in a row, the last: upstream.reset: ECONNRESET from h",
  );
});

test("what says nothing about the account changes nothing", () => {
  const ward = new Ward({ circuit_failures: 1 });
  ward.fails(new Fault("admit.client_gone"));
  ward.answers(400);
  ward.answers(429, { "retry-after": "1" });
  expect(ward.vitals.failures).toBe(0);
  expect(ward.kinds).toEqual(["cooled"]);
});

describe("stalled streams", () => {
  const stall = (ward: Ward, count: number): void => {
    for (let index = 0; index < count; index++) ward.health.stalled(ward.account, MARK);
  };

  test("are failures, and no more than that unless an operator has said so", () => {
    const ward = new Ward({ circuit_failures: 100 });
    stall(ward, 10);
    expect(ward.vitals).toMatchObject({ failures: 10, stalls: 0, coolingUntilMs: 0 });
    expect(ward.events).toEqual([]);
  });

  test("make the account rest at the limit, after which they are counted anew", () => {
    const ward = new Ward({ stream_timeout_action: "cool", circuit_failures: 100 });
    stall(ward, 2);
    expect(ward.vitals.coolingUntilMs).toBe(0);
    stall(ward, 3);
    expect(ward.vitals).toMatchObject({
      coolingUntilMs: NOON + 5 * MINUTE,
      coolingReason: "stream_timeouts",
      stalls: 2,
    });
    expect(ward.kinds).toEqual(["cooled"]);
  });

  test("fail the account at the limit where the setting says so", () => {
    const ward = new Ward({ stream_timeout_action: "error", stream_timeout_count: 1 });
    stall(ward, 1);
    expect(ward.events).toEqual([expect.objectContaining({ kind: "failed", cooling: "stream_timeouts" })]);
  });

  test("count before the first token too, and other failures do not", () => {
    const ward = new Ward({ stream_timeout_action: "cool", circuit_failures: 100 });
    ward.fails(new Fault("upstream.timeout"));
    ward.fails(new Fault("upstream.stalled"));
    ward.fails(new Fault("upstream.broken"));
    ward.health.broke(ward.account, MARK);
    ward.answers(408);
    expect(ward.vitals).toMatchObject({ stalls: 2, failures: 5 });
  });
});
