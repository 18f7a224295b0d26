/** What one node does while it cannot ask Redis, and afterwards. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AccountId } from "#domain/ids.ts";
import { systemClock } from "#kernel/clock.ts";
import { eventually } from "#support/gateway.ts";
import { startRedis, type TestServer } from "#support/servers.ts";
import { type RedisMember, RedisStage } from "./redis-stage.ts";

const never = new AbortController().signal;

let dir: string;
let server: TestServer;
let stage: RedisStage;
let here: RedisMember;
let there: RedisMember;
let ids = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-outage-"));
  server = (await startRedis(dir)) as TestServer;
  stage = new RedisStage(server.url, false);
  here = await stage.member();
  there = await stage.member();
  await eventually(
    () => here.memory.nodes,
    (nodes) => nodes === 2,
    5_000,
  );
});

afterAll(async () => {
  await stage.close();
  await server.close();
  await rm(dir, { recursive: true, force: true });
});

const ask = (id: number, limit: number, waitMsMax = 20) =>
  here.slots.acquire({ holder: { kind: "account", id }, limit, waitersMax: 9, waitMsMax, signal: never });
const pause = async (ms: number): Promise<void> =>
  void (await stage.admin.call("CLIENT", "PAUSE", String(ms), "ALL"));
const untilDown = () =>
  eventually(
    () => here.link.isUp,
    (isUp) => !isUp,
    5_000,
  );
const untilUp = () =>
  eventually(
    () => here.link.isUp && there.link.isUp,
    (isUp) => isUp,
    10_000,
  );
const take = (member: RedisMember, id: number, amountNanos: number) =>
  member.holds.take({
    purse: { kind: "user", id },
    requestId: "r",
    amountNanos,
    books: { availableNanos: 100, revision: 1 },
    expiresAtMs: systemClock.now() + 60_000,
  });

test("a node that cannot ask uses its share, what it holds already included, and tells of it afterwards", async () => {
  const id = ++ids;
  const before = await ask(id, 7);
  await pause(2_500);
  await Promise.all([ask(++ids, 1), untilDown()]);
  const startedAt = performance.now();
  const granted = [await ask(id, 7), await ask(id, 7), await ask(id, 7)];
  expect(granted.map((answer) => answer.granted)).toEqual([true, true, false]);
  expect(performance.now() - startedAt).toBeLessThan(500);
  expect(await ask(++ids, 1)).toMatchObject({ granted: true });
  await untilUp();
  const held = () => stage.admin.zcard(`${stage.base}:held:a${id}`);
  await eventually(held, (count) => count === 3, 5_000);
  for (const answer of [before, ...granted]) if (answer.granted) answer.lease.release();
  await eventually(held, (count) => count === 0, 5_000);
}, 20_000);

test("who waits when Redis is lost goes on waiting here, and who waits here goes on there", async () => {
  const id = ++ids;
  const first = await ask(id, 1);
  const waiting = ask(id, 1, 10_000);
  await here.slots.status({ kind: "account", id });
  await pause(2_500);
  await Promise.all([ask(++ids, 1), untilDown()]);
  const later = ask(id, 1, 10_000);
  await untilUp();
  if (first.granted) first.lease.release();
  const second = await waiting;
  expect(second).toMatchObject({ granted: true });
  if (second.granted) second.lease.release();
  expect(await later).toMatchObject({ granted: true });
}, 20_000);

test("money is set aside only of purses that Redis has told of, and only this node's share of what was left", async () => {
  const [known, unknown] = [++ids, ++ids];
  await take(there, known, 40);
  await take(here, known, 10);
  await pause(2_500);
  await Promise.all([ask(++ids, 1), untilDown()]);
  expect(await take(here, known, 26)).toMatchObject({ granted: false, freeNanos: 25 });
  const held = await take(here, known, 25);
  expect(held).toMatchObject({ granted: true });
  expect(await take(here, unknown, 1)).toMatchObject({ granted: false });
  if (held.granted) await held.hold.settle(20);
  await untilUp();
  const status = () => there.holds.status({ kind: "user", id: known });
  await eventually(status, ({ heldNanos, unbookedNanos }) => heldNanos === 50 && unbookedNanos === 20, 5_000);
}, 20_000);

test("a binding that was made here is kept while Redis cannot be asked", async () => {
  const session = { groupId: 1, sessionKey: "kept" } as never;
  here.sessions.bind(session, 5 as AccountId, 60_000);
  await pause(1_500);
  await Promise.all([ask(++ids, 1), untilDown()]);
  expect(await here.sessions.find(session)).toBe(5 as AccountId);
  await untilUp();
}, 20_000);
