/** Money that is set aside on the way to a slot. */
import { expect, test } from "bun:test";
import type { HoldRequest, Purse } from "#coordination/holds.ts";
import type { Holder, SlotAnswer } from "#coordination/slots.ts";
import { systemClock } from "#kernel/clock.ts";
import { eventually } from "#support/gateway.ts";
import { type RedisMember, RedisStage } from "./redis-stage.ts";

const stage = new RedisStage();
const never = new AbortController().signal;
let ids = 0;

interface Cast {
  readonly member: RedisMember;
  readonly holder: Holder;
  readonly purses: readonly [Purse, Purse];
}

async function cast(): Promise<Cast> {
  const [user, key] = [++ids, ++ids];
  return {
    member: await stage.member(),
    holder: { kind: "user", id: user },
    purses: [
      { kind: "user", id: user },
      { kind: "key", id: key },
    ],
  };
}

function asks({ purses }: Cast, amountNanos: number, availableNanos: number): readonly HoldRequest[] {
  const requestId = `req_${++ids}`;
  const books = { availableNanos, revision: 1 };
  const expiresAtMs = systemClock.now() + 60_000;
  return purses.map((purse) => ({ purse, requestId, amountNanos, books, expiresAtMs }));
}

async function acquire({ member, holder }: Cast, money: readonly HoldRequest[], limit = 5) {
  const terms = { holder, limit, waitersMax: 10, waitMsMax: 5_000, signal: never, money: () => money };
  return await member.slots.acquire(terms);
}

function leaseOf(answer: SlotAnswer) {
  if (!answer.granted) throw new Error(`refused: ${answer.refusal}`);
  return answer.lease;
}

const held = ({ member, purses }: Cast): Promise<readonly number[]> =>
  Promise.all(purses.map(async (purse) => (await member.holds.status(purse)).heldNanos));
const isNothing = (sums: readonly number[]): boolean => sums.every((sum) => sum === 0);

test("money that was set aside with the slot is there at once, counts everywhere, and goes back once", async () => {
  const one = await cast();
  const other = await stage.member();
  const money = asks(one, 60, 100);
  const lease = leaseOf(await acquire(one, money));
  expect(await held({ ...one, member: other })).toEqual([60, 60]);
  for (const ask of money) {
    const answer = one.member.holds.take(ask);
    // Redis is not asked a second time.
    if (answer instanceof Promise) throw new Error("it was asked for again");
    expect(answer.granted).toBe(true);
    if (answer.granted) await answer.hold.settle(7);
  }
  const status = () => other.holds.status(one.purses[0]);
  await eventually(status, ({ heldNanos, unbookedNanos }) => heldNanos === 0 && unbookedNanos === 7);
  lease.release();
  expect(await held(one)).toEqual([0, 0]);
});

test("what nobody asks for goes back with the slot", async () => {
  const one = await cast();
  const lease = leaseOf(await acquire(one, asks(one, 60, 100)));
  expect(await held(one)).toEqual([60, 60]);
  lease.release();
  await eventually(() => held(one), isNothing);
});

test("another amount than was foreseen is asked for anew, and only that counts", async () => {
  const one = await cast();
  const money = asks(one, 60, 100);
  leaseOf(await acquire(one, money));
  for (const ask of money)
    expect((await one.member.holds.take({ ...ask, amountNanos: 80 })).granted).toBe(true);
  await eventually(
    () => held(one),
    (sums) => sums.every((sum) => sum === 80),
  );
});

test("where one purse cannot pay, the slot is given and nothing is set aside", async () => {
  const one = await cast();
  const [payer, key] = asks(one, 60, 100) as [HoldRequest, HoldRequest];
  const lease = leaseOf(await acquire(one, [payer, { ...key, books: { availableNanos: 59, revision: 1 } }]));
  expect(await held(one)).toEqual([0, 0]);
  lease.release();
});

test("who has to wait sets nothing aside meanwhile", async () => {
  const one = await cast();
  const first = leaseOf(await acquire(one, [], 1));
  const second = acquire(one, asks(one, 60, 100), 1);
  await eventually(
    async () => (await one.member.slots.status(one.holder)).waiting,
    (waiting) => waiting === 1,
  );
  expect(await held(one)).toEqual([0, 0]);
  first.release();
  leaseOf(await second).release();
  await eventually(() => held(one), isNothing);
});

test("of many requests at once no more is set aside than there is, on several members", async () => {
  const one = await cast();
  const members = [one.member, await stage.member(), await stage.member()];
  const taken = await Promise.all(
    Array.from({ length: 300 }, async (_, place) => {
      const at = { ...one, member: members[place % 3] ?? one.member };
      const money = asks(at, 10, 100);
      leaseOf(await acquire(at, money, 0));
      const answers = await Promise.all(money.map((ask) => at.member.holds.take(ask)));
      return answers.every(({ granted }) => granted);
    }),
  );
  expect(taken.filter((is) => is).length).toBe(10);
  const [payer] = await held(one);
  expect(payer).toBe(100);
});
