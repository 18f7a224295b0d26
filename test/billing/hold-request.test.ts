import { expect, test } from "bun:test";
import { booksOf, costsOfLines, pursesOf } from "#billing/hold-purses.ts";
import { type RequestHold, type RequestHoldParts, takeRequestHold } from "#billing/hold-request.ts";
import type { Purse } from "#coordination/holds.ts";
import { LocalHolds } from "#coordination/local/holds.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import type { ApiKeyId, SubscriptionId, UserId } from "#domain/ids.ts";

const HOUR_MS = 3_600_000;
const charged = { userId: 1 as UserId, apiKeyId: 2 as ApiKeyId, subscriptionId: undefined };
const [user, key] = pursesOf(charged);

function world(available: { readonly user: number; readonly key: number }) {
  const clock = { nowMs: 1_000_000, now: () => clock.nowMs };
  const memory = MemoryMap.create({ threads: 1, rows: 8, entriesPerThread: 1, holdsPerThread: 16 });
  const holds = new LocalHolds({ memory, thread: 0, clock, onExpired: () => undefined });
  const policy = { onExhausted: "stop" as "stop" | "finish", overdraftNanos: 0 };
  const parts: RequestHoldParts = {
    holds,
    clock,
    requestId: "req_1",
    purses: [user, key],
    booksOf: ({ kind }: Purse) => ({
      availableNanos: kind === "user" ? available.user : available.key,
      revision: 1,
    }),
    policy: () => policy,
  };
  const take = async (amountNanos: number, other: Partial<RequestHoldParts> = {}): Promise<RequestHold> => {
    const answer = await takeRequestHold({ ...parts, ...other }, amountNanos);
    if (!answer.granted) throw new Error(`refused by the ${answer.purse.kind}`);
    let ends = 0;
    answer.hold.onExhausted = () => void ends++;
    return Object.assign(answer.hold, { ends: () => ends });
  };
  const held = () => [user, key].map((purse) => holds.status(purse).heldNanos);
  const unbooked = () => [user, key].map((purse) => holds.status(purse).unbookedNanos);
  return { clock, holds, parts, policy, take, held, unbooked };
}

/** Growing is not waited for by whoever notes what was used. */
const grown = () => Bun.sleep(0);
const endsOf = (hold: RequestHold) => (hold as RequestHold & { ends: () => number }).ends();

test("a request is funded by all of its purses or holds nothing", async () => {
  const { parts, take, held } = world({ user: 100, key: 50 });
  expect(await takeRequestHold(parts, 60)).toEqual({
    granted: false,
    refusal: "unaffordable",
    freeNanos: 50,
    heldNanos: 0,
    purse: key,
  });
  expect(held()).toEqual([0, 0]);
  await take(50);
  expect(held()).toEqual([50, 50]);
});

test("what the first purse gave comes back when the second cannot be asked", async () => {
  const { parts, held } = world({ user: 100, key: 100 });
  const booksOf: RequestHoldParts["booksOf"] = (purse) => ({
    revision: 1,
    get availableNanos(): number {
      if (purse.kind === "key") throw new Error("away");
      return 100;
    },
  });
  await expect(Promise.try(() => takeRequestHold({ ...parts, booksOf }, 60))).rejects.toThrow("away");
  expect(held()).toEqual([0, 0]);
});

test("settling counts the cost against every purse, in the call itself, once", async () => {
  const { take, held, unbooked } = world({ user: 100, key: 100 });
  const hold = await take(50);
  void hold.settle(20);
  void hold.settle(20);
  expect([held(), unbooked()]).toEqual([
    [0, 0],
    [20, 20],
  ]);
  hold.noteUsed(1_000);
  await grown();
  expect([held(), endsOf(hold)]).toEqual([[0, 0], 0]);
});

test("the hold stays ahead of what is used for as long as the purses can pay", async () => {
  const { take, held } = world({ user: 1_000, key: 100_000 });
  const hold = await take(100);
  for (let used = 10; used <= 1_000; used += 10) {
    hold.noteUsed(used);
    await grown();
    expect(Math.min(...held())).toBeGreaterThanOrEqual(used);
  }
  expect([held()[0], endsOf(hold)]).toEqual([1_000, 0]);
  for (const used of [1_001, 1_002]) {
    hold.noteUsed(used);
    await grown();
  }
  expect(endsOf(hold)).toBe(1);
});

test("an answer that finishes may overdraw its purse, by all of them together no more than is allowed", async () => {
  const { policy, take } = world({ user: 200, key: 100_000 });
  Object.assign(policy, { onExhausted: "finish", overdraftNanos: 30 });
  const [first, second] = [await take(100), await take(100)];
  for (const hold of [first, second]) hold.noteUsed(115);
  await grown();
  expect([endsOf(first), endsOf(second)]).toEqual([0, 1]);
});

test("a hold that is used to the last nano-dollar, and not beyond, ends nothing", async () => {
  const { take } = world({ user: 100, key: 100 });
  const hold = await take(100);
  hold.noteUsed(100);
  await grown();
  expect(endsOf(hold)).toBe(0);
});

test("a purse that cannot be asked has not agreed", async () => {
  const { holds, take } = world({ user: 1_000, key: 1_000 });
  const broken: RequestHoldParts["holds"] = {
    takeAll: (requests) => {
      const answer = holds.takeAll(requests);
      if (!answer.granted) return answer;
      for (const hold of answer.holds) {
        Object.assign(hold, { extend: () => Promise.reject(new Error("away")) });
      }
      return answer;
    },
  };
  const hold = await take(100, { holds: broken });
  hold.noteUsed(90);
  await grown();
  expect(endsOf(hold)).toBe(0);
  hold.noteUsed(101);
  await grown();
  expect(endsOf(hold)).toBe(1);
});

test("an answer that goes on for hours keeps its hold", async () => {
  const { clock, take, parts } = world({ user: 100, key: 100 });
  const hold = await take(100);
  for (let hour = 0; hour < 5; hour++) {
    clock.nowMs += HOUR_MS * 0.7;
    hold.noteUsed(1);
    await grown();
  }
  expect(await takeRequestHold(parts, 1)).toMatchObject({ granted: false, freeNanos: 0 });
});

test("the books of a purse are what its tightest limit leaves", () => {
  const limit = (limitNanos: bigint, usedNanos: bigint) => ({ limitNanos, usedNanos });
  expect(booksOf([limit(100n, 20n), limit(50n, 45n)], 7)).toEqual({ availableNanos: 5, revision: 7 });
  expect(booksOf([limit(-10n, 0n)], 7).availableNanos).toBe(-10);
  expect(booksOf([], 7).availableNanos).toBe(Number.POSITIVE_INFINITY);
  expect(booksOf([limit(10n ** 30n, 0n)], 7).availableNanos).toBe(Number.MAX_SAFE_INTEGER);
});

test("what records cost is added up for those who were charged, and only for those", () => {
  const line = (cost: number | null, subscription: number | null, user = 1) =>
    `{"request_id":"r","user_id":${user},"api_key_id":2,"subscription_id":${subscription},"cost_nanos":${cost}}`;
  expect(
    costsOfLines([line(5, null), line(7, null), line(11, 3), line(null, null), line(0, null, 9)]),
  ).toEqual([
    { purse: user, costNanos: 12 },
    { purse: key, costNanos: 23 },
    { purse: { kind: "subscription", id: 3 as SubscriptionId }, costNanos: 11 },
  ]);
});
