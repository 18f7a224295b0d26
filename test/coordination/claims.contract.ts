import { beforeEach, describe, expect, test } from "bun:test";
import type { AccountClaim, ClaimableAccount } from "#coordination/account-claims.ts";
import type { Coordination } from "#coordination/coordination.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { systemClock } from "#kernel/clock.ts";

const [first, second] = [31, 32] as AccountId[] as [AccountId, AccountId];
const account = (id: AccountId, part: Partial<ClaimableAccount> = {}): ClaimableAccount => ({
  id,
  concurrency: 1,
  requestsMax: undefined,
  sessions: undefined,
  ...part,
});

/** What claims are about. */
export type Claimed = Pick<Coordination, "claims" | "slots" | "sessions" | "vitals">;

/** The promises of the `AccountClaims` port, held against one backend that begins empty. */
export function describeClaims(name: string, open: () => Claimed | Promise<Claimed>): void {
  describe(`claims on ${name}`, () => {
    let backend: Claimed;

    beforeEach(async () => {
      backend = await open();
    });

    const claim = (accounts: readonly ClaimableAccount[], part: Partial<AccountClaim> = {}) =>
      backend.claims.claim({
        accounts,
        lease: undefined,
        session: { groupId: 1 as GroupId, sessionKey: "a" },
        binding: undefined,
        nowMs: systemClock.now(),
        ...part,
      });
    const session = (sessionKey: string) => ({ session: { groupId: 1 as GroupId, sessionKey } });
    const held = async (id: AccountId): Promise<number> =>
      (await backend.slots.status({ kind: "account", id })).inFlight;

    test("the first account with a free slot is taken, and why those before it were not is told", async () => {
      const both = [account(first), account(second)];
      expect(await claim(both)).toMatchObject({ granted: true, index: 0, refusals: [] });
      expect(await claim(both)).toMatchObject({ granted: true, index: 1, refusals: ["full"] });
      expect(await claim(both)).toEqual({ granted: false, refusals: ["full", "full"] });
      expect([await held(first), await held(second)]).toEqual([1, 1]);
    });

    test("a slot that is given back is there for the next", async () => {
      const taken = await claim([account(first)]);
      if (taken.granted) taken.lease.release();
      expect(await held(first)).toBe(0);
      expect(await claim([account(first)])).toMatchObject({ granted: true });
    });

    test("those who wait for an account's slot are not overtaken", async () => {
      const taken = await claim([account(first)]);
      const signal = new AbortController().signal;
      const ask = {
        holder: { kind: "account" as const, id: first },
        limit: 1,
        waitersMax: 9,
        waitMsMax: 5_000,
        signal,
      };
      const waiting = backend.slots.acquire(ask);
      if (taken.granted) taken.lease.release();
      expect(await claim([account(first)])).toMatchObject({ granted: false });
      expect(await waiting).toMatchObject({ granted: true });
    });

    test("requests of a minute are counted up to their limit, and what is refused is not", async () => {
      const limited = account(first, { concurrency: 9, requestsMax: 2 });
      for (let count = 0; count < 2; count++) expect(await claim([limited])).toMatchObject({ granted: true });
      expect(await claim([limited])).toEqual({ granted: false, refusals: ["requests"] });
      expect(await held(first)).toBe(2);
      const exempt = { ...limited, requestsMax: Number.POSITIVE_INFINITY };
      expect(await claim([exempt])).toMatchObject({ granted: true });
      expect(backend.vitals.of(first).requestsInMinute(systemClock.now())).toBe(3);
    });

    test("conversations are admitted up to their limit, and those that are active always", async () => {
      const limited = account(first, { concurrency: 9, sessions: { sessionsMax: 1, idleMs: 60_000 } });
      expect(await claim([limited], session("a"))).toMatchObject({ granted: true });
      expect(await claim([limited], session("b"))).toEqual({ granted: false, refusals: ["sessions"] });
      expect(await claim([limited], session("a"))).toMatchObject({ granted: true });
      expect(await held(first)).toBe(2);
    });

    test("a probe that failed, or went well, does not keep the next one waiting", async () => {
      const policy = { failuresMax: 1, openMs: 1_000, openMsMax: 1_000 };
      const vitals = backend.vitals.of(first);
      let nowMs = systemClock.now();
      vitals.failed(nowMs, policy);
      for (const hasFailed of [true, true, false]) {
        nowMs += 1_001;
        const probe = await claim([account(first, { concurrency: 0 })], { nowMs });
        expect(probe).toMatchObject({ granted: true, isProbe: true });
        if (hasFailed) vitals.failed(nowMs, policy);
        else vitals.succeeded(nowMs, 0);
      }
      vitals.failed(nowMs, policy);
      const again = await claim([account(first, { concurrency: 0 })], { nowMs: nowMs + 1_001 });
      expect(again).toMatchObject({ granted: true, isProbe: true });
    });

    test("one request at a time probes a half-open circuit", async () => {
      const vitals = backend.vitals.of(first);
      vitals.failed(systemClock.now() - 1_000, { failuresMax: 1, openMs: 1, openMsMax: 1 });
      const idle = account(first, { concurrency: 9 });
      expect(await claim([idle])).toMatchObject({ granted: true, isProbe: true });
      expect(await claim([idle])).toEqual({ granted: false, refusals: ["circuit"] });
      vitals.abstained();
      expect(await claim([idle])).toMatchObject({ granted: true, isProbe: true });
      vitals.succeeded(systemClock.now(), 0);
      expect(await claim([idle])).toMatchObject({ granted: true, isProbe: false });
    });

    test("a conversation is bound to the account that is taken, unless it stays bound elsewhere", async () => {
      const ttlMs = 60_000;
      const bound = async () => await backend.sessions.find(session("a").session);
      await claim([account(first)], { binding: { ttlMs, staysAt: undefined } });
      expect(await bound()).toBe(first);
      await claim([account(second, { concurrency: 9 })], { binding: { ttlMs, staysAt: first } });
      expect(await bound()).toBe(first);
      await claim([account(second, { concurrency: 9 })], { binding: { ttlMs, staysAt: undefined } });
      expect(await bound()).toBe(second);
    });

    test("a slot that was waited for is used, and stays the caller's where the rest is refused", async () => {
      const limited = account(first, { requestsMax: 1 });
      const lease = await backend.slots.tryAcquire({ kind: "account", id: first }, 1);
      expect(await claim([limited], { lease })).toMatchObject({ granted: true, lease });
      expect(await claim([limited], { lease })).toEqual({ granted: false, refusals: ["requests"] });
      expect(await held(first)).toBe(1);
      lease?.release();
      expect(await held(first)).toBe(0);
    });
  });
}
