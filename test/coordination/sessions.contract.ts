import { beforeEach, describe, expect, test } from "bun:test";
import type { Session, SessionBindings } from "#coordination/session-bindings.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import type { Clock } from "#kernel/clock.ts";
import { HandClock } from "./hand-clock.ts";

const HOUR = 3_600_000;
const [first, second] = [11, 12] as AccountId[] as [AccountId, AccountId];
const session = (sessionKey: string, group = 1): Session => ({ groupId: group as GroupId, sessionKey });

/** The promises of the `SessionBindings` port, held against one backend that begins empty. */
export function describeSessions(name: string, open: (clock: Clock) => SessionBindings): void {
  describe(`sessions on ${name}`, () => {
    let clock: HandClock;
    let sessions: SessionBindings;

    beforeEach(() => {
      clock = new HandClock();
      sessions = open(clock);
    });

    test("a conversation is bound to nobody until it is bound", () => {
      expect(sessions.find(session("a"))).toBeUndefined();
      sessions.bind(session("a"), first, HOUR);
      expect(sessions.find(session("a"))).toBe(first);
      expect(sessions.find(session("b"))).toBeUndefined();
    });

    test("the same key in two groups names two conversations", () => {
      sessions.bind(session("a", 1), first, HOUR);
      expect(sessions.find(session("a", 2))).toBeUndefined();
      sessions.bind(session("a", 2), second, HOUR);
      expect(sessions.find(session("a", 1))).toBe(first);
    });

    test("key and group are never confused by where one ends", () => {
      sessions.bind(session("1:a", 1), first, HOUR);
      expect(sessions.find(session("a", 11))).toBeUndefined();
      expect(sessions.find(session("a", 1))).toBeUndefined();
    });

    test("the last binding counts", () => {
      sessions.bind(session("a"), first, HOUR);
      sessions.bind(session("a"), second, HOUR);
      expect(sessions.find(session("a"))).toBe(second);
    });

    test("a binding ends when its time is over", () => {
      sessions.bind(session("a"), first, HOUR);
      clock.nowMs += HOUR - 2_000;
      expect(sessions.find(session("a"))).toBe(first);
      clock.nowMs += 4_000;
      expect(sessions.find(session("a"))).toBeUndefined();
    });

    test("binding anew gives it its whole time again", () => {
      sessions.bind(session("a"), first, HOUR);
      clock.nowMs += HOUR / 2;
      sessions.bind(session("a"), first, HOUR);
      clock.nowMs += HOUR - 2_000;
      expect(sessions.find(session("a"))).toBe(first);
    });

    test("unbinding drops only a binding to that account", () => {
      sessions.bind(session("a"), first, HOUR);
      sessions.unbind(session("a"), second);
      expect(sessions.find(session("a"))).toBe(first);
      sessions.unbind(session("a"), first);
      expect(sessions.find(session("a"))).toBeUndefined();
      sessions.unbind(session("a"), first);
    });

    test("ids beyond 32 bits stay what they are", () => {
      const far = (2 ** 33 + 7) as AccountId;
      sessions.bind(session("a", 2 ** 33 + 1), far, HOUR);
      expect(sessions.find(session("a", 2 ** 33 + 1))).toBe(far);
      expect(sessions.find(session("a", 1))).toBeUndefined();
      expect(sessions.flush({ groupId: 1 as GroupId })).toBe(0);
      expect(sessions.flush({ accountId: far })).toBe(1);
    });

    test("flushing drops what fits every given field, counts it, and leaves the rest", () => {
      const all: readonly (readonly [string, number, AccountId])[] = [
        ["a", 1, first],
        ["b", 1, second],
        ["a", 2, first],
        ["b", 2, second],
      ];
      const bindAll = (): void => {
        for (const [key, group, account] of all) sessions.bind(session(key, group), account, HOUR);
      };
      const left = (): number => all.filter(([key, group]) => sessions.find(session(key, group))).length;
      const groupId = 1 as GroupId;
      bindAll();
      expect(sessions.flush({ groupId, accountId: first })).toBe(1);
      expect(sessions.find(session("a", 1))).toBeUndefined();
      expect(left()).toBe(3);
      bindAll();
      expect([sessions.flush({ groupId }), left()]).toEqual([2, 2]);
      bindAll();
      expect([sessions.flush({ accountId: second }), left()]).toEqual([2, 2]);
      bindAll();
      expect([sessions.flush({}), left()]).toEqual([4, 0]);
      expect(sessions.flush({})).toBe(0);
    });

    test("what has expired is not counted when it is flushed", () => {
      sessions.bind(session("a"), first, HOUR);
      clock.nowMs += 2 * HOUR;
      sessions.bind(session("b"), first, HOUR);
      expect(sessions.flush({})).toBe(1);
    });
  });
}
