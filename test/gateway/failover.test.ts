import { describe, expect, test } from "bun:test";
import type { AccountId } from "#domain/ids.ts";
import { DEFAULT_SETTINGS } from "#domain/settings.ts";
import { type FailedAccount, Failover } from "#gateway/failover.ts";
import { Fault } from "#kernel/fault.ts";
import type { FaultCode } from "#kernel/fault-codes.ts";
import { anthropic } from "#providers/anthropic/provider.ts";

const account = (id: number, part: Partial<FailedAccount> = {}): FailedAccount => ({
  isOnly: false,
  asksAgain: false,
  isBlamed: false,
  ...part,
  id: id as AccountId,
});
const answered = (status: number) => anthropic.readFault({ status, headers: {}, body: new Uint8Array() });

const STREAM = { platform: "anthropic", stream: true } as const;
const PASSING = answered(503);
const LIMITED = answered(429);

test("ten switches are made and no more, three for gemini", () => {
  for (const [platform, most] of [
    ["anthropic", 10],
    ["gemini", 3],
  ] as const) {
    const failover = new Failover(DEFAULT_SETTINGS, { platform, stream: true });
    let switches = 0;
    while (failover.after(PASSING, account(switches + 1)).kind === "switch") switches++;
    expect([platform, switches]).toEqual([platform, most]);
    expect(failover.failed.size).toBe(most + 1);
  }
});

describe("another account is tried for every fault that it could cure", () => {
  const cured = [
    "upstream.connect_failed",
    "upstream.reset",
    "upstream.timeout",
    "upstream.broken",
    "upstream.stalled",
    "upstream.invalid_answer",
    "upstream.credential_rejected",
    "upstream.forbidden",
    "upstream.rate_limited",
    "upstream.overloaded",
    "upstream.unavailable",
  ] as const satisfies readonly FaultCode[];
  test.each(cured)("%s", (code) => {
    const failover = new Failover(DEFAULT_SETTINGS, STREAM);
    expect(failover.after(new Fault(code), account(1))).toEqual({ kind: "switch" });
    expect([...failover.failed] as number[]).toEqual([1]);
  });
});

test("what the request itself caused is never tried again", () => {
  const failover = new Failover(DEFAULT_SETTINGS, STREAM);
  for (const code of ["upstream.rejected", "admit.client_gone", "gateway.internal"] as const) {
    expect(failover.after(new Fault(code), account(1, { isOnly: true, asksAgain: true }))).toEqual({
      kind: "give-up",
    });
  }
});

test("a refusal that an operator's rule has put down to the account is tried with another one", () => {
  const failover = new Failover(DEFAULT_SETTINGS, STREAM);
  expect(failover.after(new Fault("upstream.rejected"), account(1, { isBlamed: true })).kind).toBe("switch");
});

test("an account whose rules allow it is asked again, with growing pauses, a few times, and then left", () => {
  const failover = new Failover(DEFAULT_SETTINGS, STREAM);
  const steps = [1, 2, 3, 4].map(() => failover.after(LIMITED, account(1, { asksAgain: true })));
  expect(steps).toEqual([
    { kind: "repeat", delayMs: 500 },
    { kind: "repeat", delayMs: 1_000 },
    { kind: "repeat", delayMs: 2_000 },
    { kind: "switch" },
  ]);
});

describe("a group's only account is asked again only when the upstream cannot have processed the request", () => {
  const repeated = [
    ["no connection came about", new Fault("upstream.connect_failed", { isUnprocessed: true })],
    ["it answered 500", answered(500)],
    ["it answered 503", PASSING],
    ["it answered 529", answered(529)],
  ] as const;
  test.each(repeated)("again: %s", (_, fault) => {
    const failover = new Failover(DEFAULT_SETTINGS, STREAM);
    expect(failover.after(fault, account(1, { isOnly: true })).kind).toBe("repeat");
  });
  const left = [
    ["the connection was reset", new Fault("upstream.reset")],
    ["it was silent", new Fault("upstream.timeout")],
    ["its answer broke off", new Fault("upstream.broken")],
    ["a proxy before it answered 502", answered(502)],
    ["it is at its rate limit", LIMITED],
    ["its credential was refused", answered(401)],
  ] as const;
  test.each(left)("not again: %s", (_, fault) => {
    const failover = new Failover(DEFAULT_SETTINGS, STREAM);
    expect(failover.after(fault, account(1, { isOnly: true })).kind).toBe("switch");
    expect(failover.anotherRoundMs(fault)).toBeUndefined();
  });
});

test("when every account has failed for a passing reason, all are tried again, a few times", () => {
  const failover = new Failover(DEFAULT_SETTINGS, STREAM);
  const rounds: (number | undefined)[] = [];
  for (let round = 0; round < 4; round++) {
    failover.after(PASSING, account(1));
    failover.after(PASSING, account(2));
    rounds.push(failover.anotherRoundMs(PASSING));
    if (rounds.at(-1) !== undefined) expect(failover.failed.size).toBe(0);
  }
  expect(rounds).toEqual([500, 1_000, 2_000, undefined]);
});

test("an only account that was asked again in its place is not tried in rounds on top", () => {
  const failover = new Failover(DEFAULT_SETTINGS, STREAM);
  let attempts = 1;
  while (failover.after(PASSING, account(1, { isOnly: true })).kind === "repeat") attempts++;
  expect(attempts).toBe(4);
  expect(failover.anotherRoundMs(PASSING)).toBeUndefined();
});

test("an account that may have processed the request never gets it again, in no round and in no other group", () => {
  const failover = new Failover(DEFAULT_SETTINGS, STREAM);
  failover.after(new Fault("upstream.broken"), account(1));
  failover.after(PASSING, account(2));
  expect(failover.anotherRoundMs(PASSING)).toBe(500);
  expect([...failover.failed] as number[]).toEqual([1]);
  failover.after(answered(502), account(2));
  expect(failover.anotherRoundMs(PASSING)).toBeUndefined();
  const elsewhere = failover.inGroup(DEFAULT_SETTINGS, STREAM);
  expect(new Set(elsewhere.failed as Set<number>)).toEqual(new Set([1, 2]));
});

test("an account that names a later time is not asked again before it", () => {
  const failover = new Failover(DEFAULT_SETTINGS, STREAM);
  const later = anthropic.readFault({
    status: 529,
    headers: { "retry-after": "30" },
    body: new Uint8Array(),
  });
  expect(failover.after(later, account(1, { isOnly: true })).kind).toBe("switch");
  expect(failover.anotherRoundMs(later)).toBeUndefined();
});

test("silence for a whole time limit is met twice by a stream at most, once by an answer that comes whole", () => {
  const silence = new Fault("upstream.timeout");
  for (const [stream, most] of [
    [true, 2],
    [false, 1],
  ] as const) {
    const failover = new Failover(DEFAULT_SETTINGS, { platform: "anthropic", stream });
    let switches = 0;
    while (failover.after(silence, account(switches + 1)).kind === "switch") switches++;
    expect([stream, switches]).toEqual([stream, most]);
  }
});
