/** Runs are random; `SLOTS_SEED` repeats one. */
import { expect, test } from "bun:test";
import { SET_ENTRIES } from "#coordination/local/memory-layout.ts";
import { MemoryMap } from "#coordination/local/memory-map.ts";
import { LocalSessions } from "#coordination/local/sessions.ts";
import { LocalVitals } from "#coordination/local/vitals.ts";
import type { Session } from "#coordination/session-bindings.ts";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { HandClock } from "./hand-clock.ts";
import { Shuffle } from "./shuffle.ts";

const seedOf = (): number => Number(process.env["SLOTS_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const memoryFor = (bindings: number): MemoryMap =>
  MemoryMap.create({ threads: 1, rows: 1, entriesPerThread: 1, bindings, modelRests: SET_ENTRIES });

interface Bound {
  readonly session: Session;
  readonly account: AccountId;
  readonly untilMs: number;
}

/** What the bindings must be: a plain map in the order of last use, bounded where the table is. */
class BindingModel {
  readonly #bound = new Map<string, Bound>();
  readonly #max: number;
  readonly #clock: HandClock;

  constructor(max: number, clock: HandClock) {
    this.#max = max;
    this.#clock = clock;
  }

  find(session: Session): AccountId | undefined {
    const bound = this.#bound.get(nameOf(session));
    return bound === undefined || bound.untilMs <= this.#clock.nowMs ? undefined : bound.account;
  }

  bind(session: Session, account: AccountId, ttlMs: number): void {
    this.#bound.delete(nameOf(session));
    for (const [name, { untilMs }] of this.#bound) {
      if (untilMs <= this.#clock.nowMs) this.#bound.delete(name);
    }
    const [oldest] = this.#bound.keys();
    if (oldest !== undefined && this.#bound.size >= this.#max) this.#bound.delete(oldest);
    this.#bound.set(nameOf(session), { session, account, untilMs: this.#clock.nowMs + ttlMs });
  }

  unbind(session: Session, account: AccountId): void {
    if (this.#bound.get(nameOf(session))?.account === account) this.#bound.delete(nameOf(session));
  }

  flush(groupId: GroupId | undefined, accountId: AccountId | undefined): number {
    let live = 0;
    for (const [name, { session, account, untilMs }] of this.#bound) {
      if (groupId !== undefined && session.groupId !== groupId) continue;
      if (accountId !== undefined && account !== accountId) continue;
      this.#bound.delete(name);
      if (untilMs > this.#clock.nowMs) live++;
    }
    return live;
  }
}

const nameOf = ({ groupId, sessionKey }: Session): string => `${groupId} ${sessionKey}`;

/** Does the same things at random to bindings and model. No account is bound twice, so a mix-up shows. */
class Comparison {
  readonly #seed = seedOf();
  readonly #shuffle = new Shuffle(this.#seed);
  readonly #clock = new HandClock();
  readonly #sessions: LocalSessions;
  readonly #model: BindingModel;
  readonly #keys: number;
  #step = 0;
  /** Bindings that gave way although the model still has them. */
  lost = 0;
  kept = 0;

  constructor(memory: MemoryMap, { keys, max }: { keys: number; max: number }) {
    this.#sessions = new LocalSessions(memory, 0, this.#clock);
    this.#model = new BindingModel(max, this.#clock);
    this.#keys = keys;
  }

  run(steps: number): void {
    for (this.#step = 1; this.#step <= steps; this.#step++) {
      const session = this.#anySession();
      const kind = this.#shuffle.below(1_000);
      if (kind < 400) this.#bind(session);
      else if (kind < 480) this.#unbind(session);
      else if (kind < 490) this.#flush(session);
      else if (kind < 700) this.#clock.nowMs += this.#shuffle.below(10);
      this.#compare(this.#anySession());
    }
  }

  #anySession(): Session {
    const groupId = (1 + this.#shuffle.below(3)) as GroupId;
    return { groupId, sessionKey: `s${this.#shuffle.below(this.#keys)}` };
  }

  #bind(session: Session): void {
    const ttlMs = 1 + this.#shuffle.below(400);
    this.#sessions.bind(session, this.#step as AccountId, ttlMs);
    this.#model.bind(session, this.#step as AccountId, ttlMs);
    this.#compare(session);
  }

  #unbind(session: Session): void {
    const bound = this.#model.find(session) ?? (1 as AccountId);
    const account = (bound + this.#shuffle.below(2)) as AccountId;
    this.#sessions.unbind(session, account);
    this.#model.unbind(session, account);
    this.#compare(session);
  }

  #flush(session: Session): void {
    const bound = this.#model.find(session);
    const byAccount = bound !== undefined && this.#shuffle.below(2) === 0;
    const filter = { groupId: session.groupId, ...(byAccount && { accountId: bound }) };
    const dropped = this.#sessions.flush(filter);
    const expected = this.#model.flush(filter.groupId, byAccount ? bound : undefined);
    this.lost += expected - dropped;
    if (dropped > expected) throw new Error(`${this.#where()}: flushed ${dropped} instead of ${expected}`);
    this.#compare(session);
  }

  #compare(session: Session): void {
    const found = this.#sessions.find(session);
    const expected = this.#model.find(session);
    if (found === expected) this.kept += found === undefined ? 0 : 1;
    else if (found === undefined) this.lost++;
    else throw new Error(`${this.#where()}: found ${found} instead of ${expected}`);
  }

  #where(): string {
    return `seed ${this.#seed}, step ${this.#step}`;
  }
}

test("one full set answers like a map that drops what was used longest ago", () => {
  const comparison = new Comparison(memoryFor(SET_ENTRIES), { keys: 12, max: SET_ENTRIES });
  comparison.run(60_000);
  expect(comparison.lost).toBe(0);
  expect(comparison.kept).toBeGreaterThan(1_000);
});

test("a table of many sets, all too small, never answers with another binding", () => {
  const comparison = new Comparison(memoryFor(3 * SET_ENTRIES), { keys: 200, max: Number.POSITIVE_INFINITY });
  comparison.run(60_000);
  expect(comparison.lost).toBeGreaterThan(0);
  expect(comparison.kept).toBeGreaterThan(1_000);
});

test("the table keeps most of as many bindings as it is made for, and the newest always", () => {
  const sessions = new LocalSessions(memoryFor(10_000), 0, new HandClock());
  const all = Array.from({ length: 10_000 }, (_, index) => ({
    groupId: 1 as GroupId,
    sessionKey: `s${index}`,
  }));
  for (const [index, session] of all.entries()) {
    sessions.bind(session, (index + 1) as AccountId, 1_000);
    if (sessions.find(session) !== index + 1) throw new Error(`lost the newest, ${index}`);
  }
  expect(all.filter((session) => sessions.find(session) !== undefined).length).toBeGreaterThan(8_500);
});

test("the rest for a model that was noted longest ago gives way when there is no room", () => {
  const board = new LocalVitals(memoryFor(SET_ENTRIES), 0, new HandClock());
  const ids = Array.from({ length: SET_ENTRIES + 1 }, (_, index) => (index + 1) as AccountId);
  const untilMs = new HandClock().nowMs + 1_000;
  for (const id of ids) board.coolModel(id, "m", untilMs);
  expect(ids.filter((id) => board.modelCoolingUntilMs(id, "m") === 0)).toEqual([1 as AccountId]);
});
