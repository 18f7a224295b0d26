/** What members of Redis see of each other. */
import { expect, test } from "bun:test";
import type { Holder } from "#coordination/slots.ts";
import type { AccountId } from "#domain/ids.ts";
import { systemClock } from "#kernel/clock.ts";
import { eventually } from "#support/gateway.ts";
import { RedisStage } from "./redis-stage.ts";

const stage = new RedisStage();
let ids = 0;
const fresh = (): Holder => ({ kind: "account", id: ++ids });
const never = new AbortController().signal;
const ask = (holder: Holder, limit: number, waitMsMax = 5_000) => ({
  holder,
  limit,
  waitersMax: 1_000,
  waitMsMax,
  signal: never,
});

test("a line over two members is served in the order in which they came, and a release wakes the other", async () => {
  const members = [await stage.member(), await stage.member()];
  const holder = fresh();
  const first = await members[0]?.slots.tryAcquire(holder, 1);
  const served: number[] = [];
  const waiting: Promise<void>[] = [];
  for (let place = 0; place < 20; place++) {
    const asked = members[place % 2]?.slots.acquire(ask(holder, 1));
    // The next one asks when this one stands in the line.
    await members[place % 2]?.slots.status(holder);
    const wait = async (): Promise<void> => {
      const answer = await asked;
      if (!answer?.granted) throw new Error("not granted");
      served.push(place);
      answer.lease.release();
    };
    waiting.push(wait());
  }
  first?.release();
  await Promise.all(waiting);
  expect(served).toEqual(Array.from({ length: 20 }, (_, place) => place));
});

test("a rest, a circuit and a recovery at one member are known to the others, and to those that come later", async () => {
  const [here, there] = [await stage.member(), await stage.member()];
  const id = ++ids as AccountId;
  const untilMs = systemClock.now() + 60_000;
  here.vitals.of(id).cool(untilMs, "rate_limited");
  here.vitals.coolModel(id, "m", untilMs);
  here.vitals.of(id).failed(systemClock.now(), { failuresMax: 1, openMs: 60_000, openMsMax: 60_000 });
  const rests = () => [
    there.vitals.of(id).coolingUntilMs,
    there.vitals.modelCoolingUntilMs(id, "m"),
    there.vitals.of(id).circuit(systemClock.now()),
  ];
  await eventually(rests, (seen) => seen[0] === untilMs && seen[1] === untilMs && seen[2] === "open", 1_000);
  const later = await stage.member();
  expect(later.vitals.of(id).coolingReason).toBe("rate_limited");
  expect(later.vitals.of(id).circuit(systemClock.now())).toBe("open");
  there.vitals.of(id).recover(systemClock.now());
  const recovered = () => here.vitals.of(id).circuit(systemClock.now()) === "closed";
  await eventually(recovered, (is) => is, 1_000);
  expect(here.vitals.of(id).coolingUntilMs).toBe(0);
});

test("what others have in flight is known without asking", async () => {
  const [here, there] = [await stage.member(), await stage.member()];
  const id = ++ids as AccountId;
  await here.claims.claim({
    accounts: [{ id, concurrency: 5, requestsMax: 9, sessions: undefined }],
    lease: undefined,
    session: { groupId: 1, sessionKey: "s" } as never,
    binding: undefined,
    nowMs: systemClock.now(),
  });
  const figures = () => {
    const vitals = there.vitals.of(id);
    return { inFlight: vitals.inFlight, requests: vitals.requestsInMinute(systemClock.now()) };
  };
  await eventually(figures, ({ inFlight, requests }) => inFlight === 1 && requests === 1, 5_000);
});

test("work that only one may do is done by one, and the next one's token is higher", async () => {
  const [here, there] = [await stage.member(), await stage.member()];
  const [begun, done] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const first = here.singleFlight.run("renew", async ({ token }) => {
    begun.resolve();
    await done.promise;
    return token;
  });
  await begun.promise;
  expect(await there.singleFlight.run("renew", async () => "ran")).toBeUndefined();
  done.resolve();
  const token = await first;
  const next = await eventually(
    () => there.singleFlight.run("renew", async (office) => office.token),
    (ran) => ran !== undefined,
  );
  expect(next).toBeGreaterThan(token ?? Number.POSITIVE_INFINITY);
});

test("work is handed on when its holder says nothing more", async () => {
  const [here, there] = [await stage.member(), await stage.member()];
  const never = here.singleFlight.run("sweep", () => new Promise<void>(() => undefined));
  await Bun.sleep(50);
  await here.link.close();
  const office = `${stage.base}:office:sweep`;
  expect(await stage.admin.hget(office, "member")).toBe(here.member);
  const untilMs = Number(await stage.admin.hget(office, "until"));
  expect(untilMs - systemClock.now()).toBeLessThan(15_000);
  await stage.admin.hset(office, "until", "0");
  expect(await there.singleFlight.run("sweep", async () => "ran")).toBe("ran");
  void never;
});

test("holds of two members come from one purse, and a thread's costs outlive it", async () => {
  const [here, there] = [await stage.member(), await stage.member()];
  const purse = { kind: "user" as const, id: ++ids };
  const take = (member: typeof here, amountNanos: number) =>
    member.holds.take({
      purse,
      requestId: "r",
      amountNanos,
      books: { availableNanos: 100, revision: 1 },
      expiresAtMs: systemClock.now() + 60_000,
    });
  const first = await take(here, 60);
  expect(await take(there, 50)).toMatchObject({ granted: false, freeNanos: 40 });
  if (first.granted) await first.hold.settle(30);
  await here.close();
  expect(await there.holds.status(purse)).toEqual({ heldNanos: 0, unbookedNanos: 30 });
  expect(await take(there, 71)).toMatchObject({ granted: false, freeNanos: 70 });
  expect(await take(there, 70)).toMatchObject({ granted: true });
});
