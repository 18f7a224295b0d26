import { expect, test } from "bun:test";
import { pacingDelayMs } from "#accounts/pacing.ts";
import type { SelectedAccount } from "#accounts/select-account.ts";
import type { QueueMode } from "#domain/account-limits.ts";
import { DEFAULT_SETTINGS, type RuntimeSettings } from "#domain/settings.ts";
import type { ParsedCall } from "#gateway/call-stages.ts";
import { RequestTrace } from "#gateway/request-trace.ts";
import { takeTurn } from "#gateway/user-turn.ts";
import { systemClock } from "#kernel/clock.ts";
import { accountWith, TestPool } from "../accounts/pool.ts";

const PAUSE_MS = 40;

function room(mode: QueueMode | undefined, settings: Partial<RuntimeSettings> = {}) {
  const account = accountWith({ id: 1, userMessageQueue: mode, concurrency: 100 });
  const pool = new TestPool({ accounts: [account] });
  const rooms = {
    coordination: pool.coordination,
    clock: systemClock,
    settings: () => ({ ...DEFAULT_SETTINGS, user_message_delay_min_ms: PAUSE_MS, ...settings }),
  };
  const selected = { account, vitals: pool.vitals(1) } as unknown as SelectedAccount;
  return async (isUserTurn = true, signal = new AbortController().signal) => {
    const call = {
      operation: "messages",
      messages: { count: 1, isUserTurn },
      trace: new RequestTrace(0, systemClock),
    } as unknown as ParsedCall;
    return await takeTurn(call, selected, signal, rooms);
  };
}

const isSettled = async (work: Promise<unknown>): Promise<boolean> =>
  (await Promise.race([work.then(() => true), Bun.sleep(5).then(() => false)])) === true;

test("serialize lets one message of a person through until the upstream has taken it in, and then pauses", async () => {
  const take = room("serialize");
  const first = await take();
  const second = take();
  expect(await isSettled(second)).toBe(false);
  const startedAt = performance.now();
  first.release();
  (await second).release();
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(PAUSE_MS - 2);
});

test("turns come in the order of arrival", async () => {
  const take = room("serialize", { user_message_delay_min_ms: 0 });
  const order: number[] = [];
  const turns = [0, 1, 2, 3].map(async (index) => {
    const turn = await take();
    order.push(index);
    turn.release();
  });
  await Promise.all(turns);
  expect(order).toEqual([0, 1, 2, 3]);
});

test("results of tools pass freely", async () => {
  const take = room("serialize");
  await take();
  expect(await isSettled(take(false))).toBe(true);
});

test("throttle only pauses", async () => {
  const take = room("throttle");
  const startedAt = performance.now();
  await Promise.all([take(), take(), take()]);
  const tookMs = performance.now() - startedAt;
  expect(tookMs).toBeGreaterThanOrEqual(PAUSE_MS - 2);
  expect(tookMs).toBeLessThan(PAUSE_MS * 2.5);
});

test("an account follows the setting, and can opt out of it", async () => {
  const global = { user_message_queue: "serialize" } as const;
  const follows = room(undefined, global);
  await follows();
  expect(await isSettled(follows())).toBe(false);
  const optsOut = room("off", global);
  await optsOut();
  expect(await isSettled(optsOut())).toBe(true);
});

test("a client that leaves while it waits frees its place", async () => {
  const take = room("serialize", { user_message_delay_min_ms: 0 });
  const first = await take();
  const leaving = new AbortController();
  const second = take(true, leaving.signal).catch((thrown: unknown) => thrown);
  const third = take();
  leaving.abort();
  expect(String(await second)).toContain("client");
  first.release();
  expect(await isSettled(third)).toBe(true);
});

test("a turn that does not come in time is done without", async () => {
  const take = room("serialize", { user_message_wait_seconds: 0.02 });
  await take();
  const late = await take();
  late.release();
});

test("the pause grows with the requests of the minute, from the shortest to the longest", () => {
  const at = (count: number): number => pacingDelayMs(count, 10, DEFAULT_SETTINGS);
  expect([0, 4, 5, 6.5, 8, 10].map(at)).toEqual([200, 200, 200, 1_100, 2_000, 2_000]);
  expect(pacingDelayMs(1_000, undefined, DEFAULT_SETTINGS)).toBe(200);
});
