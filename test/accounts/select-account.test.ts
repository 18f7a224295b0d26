import { expect, test } from "bun:test";
import type { AccountId } from "#domain/ids.ts";
import { Fault } from "#kernel/fault.ts";
import { accountWith, groupWith, NOON, TestPool } from "./pool.ts";

const faultOf = async (work: Promise<unknown>): Promise<Fault> => {
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (thrown instanceof Fault) return thrown;
  throw new Error(`no fault: ${thrown}`);
};

test("the lowest priority number is used first, whatever the load", async () => {
  const pool = new TestPool({
    accounts: [accountWith({ id: 1, priority: 20 }), accountWith({ id: 2, priority: 10 })],
  });
  const first = await pool.select({ sessionKey: "a" });
  expect(first.account.id as number).toBe(2);
  expect(await pool.chosen({ sessionKey: "b" })).toBe(2);
});

test("of equal priorities the one with the lower load for what it can bear is used", async () => {
  const pool = new TestPool({
    accounts: [accountWith({ id: 1, concurrency: 2 }), accountWith({ id: 2, concurrency: 10 })],
  });
  const counts: Record<number, number> = { 1: 0, 2: 0 };
  for (let request = 0; request < 12; request++) {
    const { account } = await pool.select({ sessionKey: `s${request}` });
    counts[account.id] = (counts[account.id] ?? 0) + 1;
  }
  expect(counts).toEqual({ 1: 2, 2: 10 });
});

test("of equal loads the one that was used longest ago comes first, exactly and at once", async () => {
  const pool = new TestPool({ accounts: [1, 2, 3].map((id) => accountWith({ id })) });
  const order: number[] = [];
  for (let request = 0; request < 6; request++) {
    pool.nowMs++;
    order.push(await pool.chosen({ sessionKey: `s${request}` }));
  }
  expect(order.slice(3)).toEqual(order.slice(0, 3));
  expect(new Set(order.slice(0, 3)).size).toBe(3);
});

test("chance decides between equals", async () => {
  const first = new Set<number>();
  for (let round = 0; round < 40; round++) {
    const pool = new TestPool({ accounts: [1, 2].map((id) => accountWith({ id })) });
    first.add(await pool.chosen());
  }
  expect(first.size).toBe(2);
});

test("an account that is about to reach its rate limit is used last, and used when nothing else is left", async () => {
  const pool = new TestPool({
    accounts: [accountWith({ id: 1, priority: 1, concurrency: 1 }), accountWith({ id: 2, concurrency: 1 })],
  });
  pool.vitals(1).noteHeadroom(0.001, NOON + 60_000);
  const first = await pool.select({ sessionKey: "a" });
  const second = await pool.select({ sessionKey: "b" });
  expect([first.account.id as number, second.account.id as number]).toEqual([2, 1]);
  first.lease.release();
  second.lease.release();
  pool.nowMs += 60_001;
  expect(await pool.chosen({ sessionKey: "c" })).toBe(1);
});

test("choosing takes the slot: two requests never share the last one", async () => {
  const pool = new TestPool({ accounts: [1, 2].map((id) => accountWith({ id, concurrency: 1 })) });
  const taken = [await pool.select({ sessionKey: "a" }), await pool.select({ sessionKey: "b" })];
  expect(new Set(taken.map(({ account }) => account.id)).size).toBe(2);
});

test("when all are full a request waits in the shortest line and gets the slot that comes free there", async () => {
  const pool = new TestPool({ accounts: [accountWith({ id: 1, concurrency: 1 })] });
  const first = await pool.select({ sessionKey: "a" });
  const waiting = pool.select({ sessionKey: "b" });
  expect(pool.vitals(1).waiting).toBe(1);
  first.lease.release();
  expect((await waiting).account.id as number).toBe(1);
});

test("a line that is full is refused with 429, and a wait that is too long too", async () => {
  const pool = new TestPool({
    accounts: [accountWith({ id: 1, concurrency: 1 })],
    waitersMax: 1,
    waitMsMax: 20,
  });
  await pool.select({ sessionKey: "a" });
  const waiting = faultOf(pool.select({ sessionKey: "b" }));
  const refused = await faultOf(pool.select({ sessionKey: "c" }));
  expect([refused.status, refused.retryAfterMs !== undefined]).toEqual([429, true]);
  expect((await waiting).code).toBe("admit.wait_timeout");
});

test("an account that is switched off while a request waits for it is not used", async () => {
  const accounts = [accountWith({ id: 1, concurrency: 1 }), accountWith({ id: 2, concurrency: 1 })];
  const pool = new TestPool({ accounts });
  const held = [await pool.select({ sessionKey: "a" }), await pool.select({ sessionKey: "b" })];
  const waiting = pool.select({ sessionKey: "c" });
  const waitedFor = pool.vitals(1).waiting === 1 ? 1 : 2;
  const other = 3 - waitedFor;
  pool.replace(accounts.map((account) => accountWith({ ...account, schedulable: account.id === other })));
  for (const { lease } of held) lease.release();
  expect((await waiting).account.id as number).toBe(other);
});

const GATES = [
  ["disabled", { status: "disabled" }, "disabled"],
  ["in error", { status: "error" }, "error"],
  ["not schedulable", { schedulable: false }, "not_schedulable"],
  ["expired", { expiresAtMs: NOON }, "expired"],
  ["of another platform", { platform: "gemini" }, "other_platform"],
  ["without the model", { modelMapping: { "claude-opus-*": "claude-opus-4-6" } }, "model_unsupported"],
] as const;

for (const [name, part, finding] of GATES) {
  test(`an account that is ${name} is not chosen, and the record says why`, async () => {
    const pool = new TestPool({
      accounts: [accountWith({ id: 1, priority: 1, ...part }), accountWith({ id: 2 })],
    });
    expect(await pool.chosen()).toBe(2);
    expect(pool.finding(1)).toBe(finding);
    expect(pool.finding(2)).toBe("chosen");
  });
}

const LIVE_GATES = [
  ["cooling", (pool: TestPool) => pool.vitals(1).cool(NOON + 5_000, "rate_limited"), "cooling"],
  [
    "of an open circuit",
    (pool: TestPool) => pool.vitals(1).failed(NOON, { failuresMax: 1, openMs: 5_000, openMsMax: 5_000 }),
    "circuit_open",
  ],
  [
    "resting for the model",
    (pool: TestPool) => pool.coordination.vitals.coolModel(1 as AccountId, "claude-sonnet-4-6", NOON + 5_000),
    "model_cooling",
  ],
] as const;

for (const [name, arrange, finding] of LIVE_GATES) {
  test(`an account that is ${name} is passed over until its time is up`, async () => {
    const pool = new TestPool({ accounts: [accountWith({ id: 1, priority: 1 }), accountWith({ id: 2 })] });
    arrange(pool);
    expect(await pool.chosen({ sessionKey: "a" })).toBe(2);
    expect(pool.finding(1)).toBe(finding);
    pool.nowMs += 5_001;
    expect(await pool.chosen({ sessionKey: "b" })).toBe(1);
  });
}

test("a model that rests on an account leaves it to all other models", async () => {
  const pool = new TestPool({ accounts: [accountWith({ id: 1, priority: 1 }), accountWith({ id: 2 })] });
  pool.coordination.vitals.coolModel(1 as AccountId, "claude-opus-4-6", NOON + 5_000);
  expect(await pool.chosen({ sessionKey: "a" })).toBe(1);
  expect(await pool.chosen({ sessionKey: "b", model: "claude-opus-4-6" })).toBe(2);
});

test("a half-open circuit lets one request through until that one has ended", async () => {
  const pool = new TestPool({ accounts: [accountWith({ id: 1, priority: 1 }), accountWith({ id: 2 })] });
  pool.vitals(1).failed(NOON, { failuresMax: 1, openMs: 1_000, openMsMax: 1_000 });
  pool.nowMs += 1_001;
  expect(await pool.chosen({ sessionKey: "a" })).toBe(1);
  expect(await pool.chosen({ sessionKey: "b" })).toBe(2);
  pool.vitals(1).succeeded(pool.nowMs, 0);
  expect(await pool.chosen({ sessionKey: "c" })).toBe(1);
});

test("requests per minute: new conversations stop at the base, bound ones at the buffer", async () => {
  const rpm = { base: 2, strategy: "tiered", stickyBuffer: 1 } as const;
  const pool = new TestPool({ accounts: [accountWith({ id: 1, priority: 1, rpm }), accountWith({ id: 2 })] });
  expect([await pool.chosen({ sessionKey: "a" }), await pool.chosen({ sessionKey: "b" })]).toEqual([1, 1]);
  expect(await pool.chosen({ sessionKey: "c" })).toBe(2);
  expect(pool.finding(1)).toBe("rpm_reached");
  expect(await pool.chosen({ sessionKey: "a" })).toBe(1);
  expect(await pool.chosen({ sessionKey: "a" })).toBe(2);
  pool.nowMs += 60_000;
  expect(await pool.chosen({ sessionKey: "d" })).toBe(1);
});

test("requests per minute with an exemption never stop a bound conversation", async () => {
  const rpm = { base: 1, strategy: "sticky_exempt", stickyBuffer: 0 } as const;
  const pool = new TestPool({ accounts: [accountWith({ id: 1, priority: 1, rpm }), accountWith({ id: 2 })] });
  for (let turn = 0; turn < 5; turn++) expect(await pool.chosen({ sessionKey: "a" })).toBe(1);
  expect(await pool.chosen({ sessionKey: "b" })).toBe(2);
});

test("the session limit admits known conversations and no more new ones", async () => {
  const sessions = { sessionsMax: 1, idleMs: 60_000 };
  const pool = new TestPool({
    accounts: [accountWith({ id: 1, priority: 1, sessions }), accountWith({ id: 2 })],
  });
  expect(await pool.chosen({ sessionKey: "a" })).toBe(1);
  expect(await pool.chosen({ sessionKey: "b" })).toBe(2);
  expect(pool.finding(1)).toBe("session_limit_reached");
  expect(await pool.chosen({ sessionKey: "a" })).toBe(1);
  pool.nowMs += 61_000;
  expect(await pool.chosen({ sessionKey: "c" })).toBe(1);
});

test("counting tokens uses up no requests per minute, no session and no binding", async () => {
  const rpm = { base: 1, strategy: "tiered", stickyBuffer: 0 } as const;
  const sessions = { sessionsMax: 1, idleMs: 60_000 };
  const pool = new TestPool({ accounts: [accountWith({ id: 1, rpm, sessions })] });
  for (let count = 0; count < 3; count++) await pool.chosen({ sessionKey: `s${count}`, isMessage: false });
  expect(await pool.chosen({ sessionKey: "a" })).toBe(1);
});

test("a quota or cost window that is used up keeps the account out; the window's reserve is for the bound", async () => {
  const accounts = [
    accountWith({ id: 1, priority: 1, windowCost: { limitNanos: 1, stickyReserveNanos: 1 } }),
    accountWith({ id: 2, priority: 2, quota: { totalNanos: 1 } as never }),
    accountWith({ id: 3 }),
  ];
  let state: "open" | "sticky-only" | "closed" = "open";
  const pool = new TestPool({ accounts, spend: { windowState: () => state, isQuotaReached: () => true } });
  expect(await pool.chosen({ sessionKey: "a" })).toBe(1);
  state = "sticky-only";
  expect(await pool.chosen({ sessionKey: "b" })).toBe(3);
  expect([pool.finding(1), pool.finding(2)]).toEqual(["window_cost_reached", "quota_reached"]);
  expect(await pool.chosen({ sessionKey: "a" })).toBe(1);
  state = "closed";
  expect(await pool.chosen({ sessionKey: "a" })).toBe(3);
});

test("routing names who serves a model first: the exact name over patterns, the longest pattern over shorter ones", async () => {
  const modelRouting = {
    "claude-*": [1 as AccountId],
    "claude-sonnet-*": [2 as AccountId],
    "claude-sonnet-4-6": [3 as AccountId],
  };
  const accounts = [1, 2, 3, 4].map((id) => accountWith({ id, priority: id === 4 ? 1 : 50 }));
  const pool = new TestPool({ accounts, group: groupWith({ modelRouting }) });
  expect(await pool.chosen({ sessionKey: "a" })).toBe(3);
  expect(await pool.chosen({ sessionKey: "b", model: "claude-sonnet-4-5" })).toBe(2);
  expect(await pool.chosen({ sessionKey: "c", model: "claude-opus-4-6" })).toBe(1);
  expect(await pool.chosen({ sessionKey: "d", model: "other" })).toBe(4);
});

test("where no routed account may serve the request, the others may", async () => {
  const group = groupWith({ modelRouting: { "claude-*": [1 as AccountId] } });
  const pool = new TestPool({ accounts: [accountWith({ id: 1 }), accountWith({ id: 2 })], group });
  pool.vitals(1).cool(NOON + 1_000, "overloaded");
  expect(await pool.chosen()).toBe(2);
});

const ENDS = [
  ["rate_limited", "select.rate_limited", 429],
  ["overloaded", "select.overloaded", 529],
  ["rule", "select.no_account", 503],
] as const;

for (const [reason, code, status] of ENDS) {
  test(`when all accounts rest because ${reason}, the answer is ${status} with the soonest end`, async () => {
    const pool = new TestPool({ accounts: [accountWith({ id: 1 }), accountWith({ id: 2 })] });
    pool.vitals(1).cool(NOON + 7_000, reason);
    pool.vitals(2).cool(NOON + 3_000, reason);
    const fault = await faultOf(pool.select());
    expect([fault.code, fault.status, fault.retryAfterMs]).toEqual([code, status, 3_000]);
  });
}

test("a model that no account knows is the client's mistake, not a lack of accounts", async () => {
  const pool = new TestPool({ accounts: [accountWith({ id: 1, modelMapping: { a: "b" } })] });
  expect((await faultOf(pool.select())).code).toBe("select.model_unknown");
});

test("a group without accounts says so", async () => {
  const pool = new TestPool({ accounts: [] });
  expect((await faultOf(pool.select())).code).toBe("select.no_account");
});

test("accounts that have failed this request are not chosen again", async () => {
  const pool = new TestPool({ accounts: [accountWith({ id: 1, priority: 1 }), accountWith({ id: 2 })] });
  expect(await pool.chosen({ exclude: new Set([1 as AccountId]) })).toBe(2);
  expect(pool.finding(1)).toBe("excluded");
});

test("a rest for the model that begins while a request waits in line is seen after the wait", async () => {
  const pool = new TestPool({ accounts: [accountWith({ id: 1, concurrency: 1 })] });
  const first = await pool.select({ sessionKey: "a" });
  const waiting = faultOf(pool.select({ sessionKey: "b" }));
  pool.coordination.vitals.coolModel(1 as AccountId, "claude-sonnet-4-6", NOON + 7_000);
  first.lease.release();
  const fault = await waiting;
  expect([fault.code, fault.retryAfterMs]).toEqual(["select.rate_limited", 7_000]);
});

test("an account that has failed this request but does not rest gives no time to wait for", async () => {
  const pool = new TestPool({ accounts: [accountWith({ id: 1 }), accountWith({ id: 2 })] });
  pool.vitals(1).cool(NOON + 600_000, "rate_limited");
  await faultOf(pool.select({ exclude: new Set([1 as AccountId, 2 as AccountId]) }));
  const choice = pool.choices.at(-1);
  expect(choice && pool.selector.soonestRetryMs(choice, "claude-sonnet-4-6")).toBeUndefined();
});

test("only the request that probes a half-open circuit holds the right to", async () => {
  const pool = new TestPool({ accounts: [accountWith({ id: 1 })] });
  const before = await pool.select({ sessionKey: "a" });
  pool.vitals(1).failed(NOON, { failuresMax: 1, openMs: 1_000, openMsMax: 1_000 });
  pool.nowMs += 1_001;
  const probe = await pool.select({ sessionKey: "b" });
  expect([before.isProbe, probe.isProbe]).toEqual([false, true]);
});
