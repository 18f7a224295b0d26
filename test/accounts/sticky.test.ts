import { expect, test } from "bun:test";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { accountWith, groupWith, NOON, TestPool } from "./pool.ts";

const HOUR_MS = 3_600_000;
const four = () => [1, 2, 3, 4].map((id) => accountWith({ id }));

test("a conversation stays with its account, and use keeps the binding alive", async () => {
  const pool = new TestPool({ accounts: four() });
  const first = await pool.chosen();
  for (let turn = 0; turn < 50; turn++) {
    pool.nowMs += HOUR_MS / 2;
    await pool.chosen({ sessionKey: `other ${turn}` });
    expect(await pool.chosen()).toBe(first);
  }
});

test("a full account makes a request spill over, and the conversation stays bound to it", async () => {
  const pool = new TestPool({
    accounts: [1, 2].map((id) => accountWith({ id, concurrency: 1 })),
    settings: { sticky_waiters_max: 0 },
  });
  const bound = await pool.select();
  const spilled = await pool.select();
  expect(spilled.account.id).not.toBe(bound.account.id);
  bound.lease.release();
  spilled.lease.release();
  expect(await pool.chosen()).toBe(bound.account.id);
});

test("a bound request waits for its own account while its line is short", async () => {
  const pool = new TestPool({ accounts: [1, 2].map((id) => accountWith({ id, concurrency: 1 })) });
  const bound = await pool.select();
  const waiting = [1, 2, 3].map(() => pool.select());
  expect(pool.vitals(bound.account.id).waiting).toBe(3);
  const spilled = await pool.select();
  expect(spilled.account.id).not.toBe(bound.account.id);
  bound.lease.release();
  const next = await Promise.race(waiting);
  expect(next.account.id).toBe(bound.account.id);
});

test("a binding to an account that is gone, in error or without the model is dropped", async () => {
  for (const part of [undefined, { status: "error" }, { modelMapping: { other: "other" } }] as const) {
    const pool = new TestPool({ accounts: four() });
    const bound = await pool.chosen();
    const rest = four().filter(({ id }) => (id as number) !== bound);
    pool.replace(part === undefined ? rest : [...rest, accountWith({ id: bound, ...part })]);
    const moved = await pool.chosen();
    expect(moved).not.toBe(bound);
    pool.replace(four());
    expect(await pool.chosen()).toBe(moved);
  }
});

test("a short rest of its account does not move a conversation, a long one does", async () => {
  const pool = new TestPool({ accounts: four() });
  const bound = await pool.chosen();
  pool.vitals(bound).cool(NOON + 5_000, "rate_limited");
  expect(await pool.chosen()).not.toBe(bound);
  pool.nowMs += 5_001;
  expect(await pool.chosen()).toBe(bound);
  pool.vitals(bound).cool(pool.nowMs + 600_000, "overloaded");
  const moved = await pool.chosen();
  pool.nowMs += 600_001;
  expect(await pool.chosen()).toBe(moved);
});

test("a conversation escapes from an account that is measured slow or failing, where there is another", async () => {
  const policy = { failuresMax: 1_000, openMs: 1, openMsMax: 1 };
  const slow = new TestPool({ accounts: four(), settings: { sticky_escape_first_token_ms: 1_000 } });
  const first = await slow.chosen();
  for (let count = 0; count < 10; count++) slow.vitals(first).succeeded(NOON, 5_000);
  expect(await slow.chosen()).not.toBe(first);
  const failing = new TestPool({ accounts: four() });
  const second = await failing.chosen();
  for (let count = 0; count < 10; count++) failing.vitals(second).failed(NOON, policy);
  expect(await failing.chosen()).not.toBe(second);
  const alone = new TestPool({ accounts: [accountWith({ id: 1 })] });
  await alone.chosen();
  for (let count = 0; count < 10; count++) alone.vitals(1).failed(NOON, policy);
  expect(await alone.chosen()).toBe(1);
});

test("a failed attempt does not rewrite the binding of a conversation whose account stays in use", async () => {
  const pool = new TestPool({ accounts: four() });
  const bound = await pool.chosen();
  await pool.chosen({ exclude: new Set([bound as AccountId]) });
  expect(await pool.chosen()).toBe(bound);
});

test("the same conversation in two groups has two bindings", async () => {
  const pool = new TestPool({ accounts: four() });
  const other = groupWith({ id: 2 as GroupId });
  const first = await pool.chosen();
  const { sessions } = pool.coordination;
  expect(sessions.find({ groupId: other.id, sessionKey: "session" })).toBeUndefined();
  expect(sessions.find({ groupId: pool.group.id, sessionKey: "session" }) as number | undefined).toBe(first);
});

test("routing comes before the binding", async () => {
  const accounts = four();
  const pool = new TestPool({ accounts });
  const bound = await pool.chosen();
  const routedTo = (bound % 4) + 1;
  const group = groupWith({ modelRouting: { "claude-*": [routedTo as AccountId] } });
  expect(await pool.chosen({ group })).toBe(routedTo);
});

test("a pinned account is asked again even while it rests", async () => {
  const pool = new TestPool({ accounts: four() });
  pool.vitals(2).cool(NOON + 5_000, "overloaded");
  expect(await pool.chosen({ pin: { account: 2 as AccountId, isChecked: false } })).toBe(2);
});

test("an account that was chosen before a wait is used again only if it still may be", async () => {
  const pool = new TestPool({ accounts: four() });
  const pin = { account: 2 as AccountId, isChecked: true };
  expect(await pool.chosen({ pin })).toBe(2);
  pool.vitals(2).cool(NOON + 5_000, "rate_limited");
  expect(await pool.chosen({ pin })).not.toBe(2);
});
