import { beforeEach, describe, expect, test } from "bun:test";
import type { Session, SessionBindings } from "#coordination/session-bindings.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";

const HOUR = 3_600_000;
const [first, second] = [11, 12] as AccountId[] as [AccountId, AccountId];
const session = (sessionKey: string, group = 1): Session => ({ groupId: group as GroupId, sessionKey });

/** A backend, and the means to let time pass for it. */
export interface SessionsStage {
  readonly sessions: SessionBindings;
  readonly advance: (ms: number) => void | Promise<void>;
}

/** The promises of the `SessionBindings` port, held against one backend that begins empty. */
export function describeSessions(name: string, open: () => SessionsStage | Promise<SessionsStage>): void {
  describe(`sessions on ${name}`, () => {
    let sessions: SessionBindings;
    let advance: SessionsStage["advance"];

    beforeEach(async () => {
      ({ sessions, advance } = await open());
    });

    test("a conversation is bound to nobody until it is bound", async () => {
      expect(await sessions.find(session("a"))).toBeUndefined();
      sessions.bind(session("a"), first, HOUR);
      expect(await sessions.find(session("a"))).toBe(first);
      expect(await sessions.find(session("b"))).toBeUndefined();
    });

    test("the same key in two groups names two conversations", async () => {
      sessions.bind(session("a", 1), first, HOUR);
      expect(await sessions.find(session("a", 2))).toBeUndefined();
      sessions.bind(session("a", 2), second, HOUR);
      expect(await sessions.find(session("a", 1))).toBe(first);
    });

    test("key and group are never confused by where one ends", async () => {
      sessions.bind(session("1:a", 1), first, HOUR);
      expect(await sessions.find(session("a", 11))).toBeUndefined();
      expect(await sessions.find(session("a", 1))).toBeUndefined();
    });

    test("the last binding counts", async () => {
      sessions.bind(session("a"), first, HOUR);
      sessions.bind(session("a"), second, HOUR);
      expect(await sessions.find(session("a"))).toBe(second);
    });

    test("a binding ends when its time is over", async () => {
      sessions.bind(session("a"), first, HOUR);
      await advance(HOUR - 2_000);
      expect(await sessions.find(session("a"))).toBe(first);
      await advance(4_000);
      expect(await sessions.find(session("a"))).toBeUndefined();
    });

    test("binding anew gives it its whole time again", async () => {
      sessions.bind(session("a"), first, HOUR);
      await advance(HOUR / 2);
      sessions.bind(session("a"), first, HOUR);
      await advance(HOUR - 2_000);
      expect(await sessions.find(session("a"))).toBe(first);
    });

    test("unbinding drops only a binding to that account", async () => {
      sessions.bind(session("a"), first, HOUR);
      sessions.unbind(session("a"), second);
      expect(await sessions.find(session("a"))).toBe(first);
      sessions.unbind(session("a"), first);
      expect(await sessions.find(session("a"))).toBeUndefined();
      sessions.unbind(session("a"), first);
    });

    test("ids beyond 32 bits stay what they are", async () => {
      const far = (2 ** 33 + 7) as AccountId;
      sessions.bind(session("a", 2 ** 33 + 1), far, HOUR);
      expect(await sessions.find(session("a", 2 ** 33 + 1))).toBe(far);
      expect(await sessions.find(session("a", 1))).toBeUndefined();
      expect(await sessions.flush({ groupId: 1 as GroupId })).toBe(0);
      expect(await sessions.flush({ accountId: far })).toBe(1);
    });

    test("flushing drops what fits every given field, counts it, and leaves the rest", async () => {
      const all: readonly (readonly [string, number, AccountId])[] = [
        ["a", 1, first],
        ["b", 1, second],
        ["a", 2, first],
        ["b", 2, second],
      ];
      const bindAll = (): void => {
        for (const [key, group, account] of all) sessions.bind(session(key, group), account, HOUR);
      };
      const left = async (): Promise<number> => {
        const found = await Promise.all(all.map(([key, group]) => sessions.find(session(key, group))));
        return found.filter((account) => account !== undefined).length;
      };
      const groupId = 1 as GroupId;
      bindAll();
      expect(await sessions.flush({ groupId, accountId: first })).toBe(1);
      expect(await sessions.find(session("a", 1))).toBeUndefined();
      expect(await left()).toBe(3);
      bindAll();
      expect([await sessions.flush({ groupId }), await left()]).toEqual([2, 2]);
      bindAll();
      expect([await sessions.flush({ accountId: second }), await left()]).toEqual([2, 2]);
      bindAll();
      expect([await sessions.flush({}), await left()]).toEqual([4, 0]);
      expect(await sessions.flush({})).toBe(0);
    });

    test("what has expired is not counted when it is flushed", async () => {
      sessions.bind(session("a"), first, HOUR);
      await advance(2 * HOUR);
      sessions.bind(session("b"), first, HOUR);
      expect(await sessions.flush({})).toBe(1);
    });
  });
}
