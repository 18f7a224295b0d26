import { beforeEach, describe, expect, test } from "bun:test";
import type { AccountVitals, CircuitPolicy, VitalsBoard } from "#coordination/account-vitals.ts";
import type { AccountId } from "#domain/ids.ts";

const MINUTE = 60_000;
const NOW = Date.UTC(2027, 0, 15, 12);
const POLICY: CircuitPolicy = { failuresMax: 3, openMs: 1_000, openMsMax: 3_000 };
const PROBE_MS = 5_000;

const [account, other] = [21, 22] as AccountId[] as [AccountId, AccountId];

/** Lets the account fail so often that its circuit opens. */
function openCircuit(vitals: AccountVitals, nowMs: number): void {
  for (let count = 0; count < POLICY.failuresMax; count++) vitals.failed(nowMs, POLICY);
}

/** The promises of the `VitalsBoard` port, held against one backend in which no account was ever used. */
export function describeVitals(name: string, open: () => VitalsBoard | Promise<VitalsBoard>): void {
  let board: VitalsBoard;
  let vitals: AccountVitals;

  beforeEach(async () => {
    board = await open();
    vitals = board.of(account);
  });

  describe(`figures on ${name}`, () => {
    test("an account that was never used has the figures of a healthy, idle one", () => {
      const { inFlight, waiting, lastUsedMs, coolingUntilMs, coolingReason } = vitals;
      expect({ inFlight, waiting, lastUsedMs, coolingUntilMs, coolingReason }).toEqual({
        inFlight: 0,
        waiting: 0,
        lastUsedMs: 0,
        coolingUntilMs: 0,
        coolingReason: undefined,
      });
      const { firstTokenMs, errorRate, samples } = vitals;
      expect({ firstTokenMs, errorRate, samples }).toEqual({ firstTokenMs: 0, errorRate: 0, samples: 0 });
      expect([vitals.headroom(NOW), vitals.requestsInMinute(NOW), vitals.circuit(NOW)]).toEqual([
        1,
        0,
        "closed",
      ]);
    });

    test("an account's figures are one object, and nobody else's", () => {
      expect(board.of(account)).toBe(vitals);
      vitals.used(NOW);
      vitals.cool(NOW + MINUTE, "overloaded");
      expect(vitals.lastUsedMs).toBe(NOW);
      expect([board.of(other).lastUsedMs, board.of(other).coolingUntilMs]).toEqual([0, 0]);
    });

    test("cooling is only ever extended", () => {
      expect(vitals.cool(NOW + 2_000, "rate_limited")).toBe(true);
      expect(vitals.cool(NOW + 1_000, "forbidden")).toBe(false);
      expect(vitals.cool(NOW + 2_000, "forbidden")).toBe(false);
      expect([vitals.coolingUntilMs, vitals.coolingReason]).toEqual([NOW + 2_000, "rate_limited"]);
      expect(vitals.cool(NOW + 3_000, "stream_timeouts")).toBe(true);
      expect([vitals.coolingUntilMs, vitals.coolingReason]).toEqual([NOW + 3_000, "stream_timeouts"]);
    });

    test("requests count for the minute of the clock in which they came", () => {
      vitals.countRequest(NOW);
      vitals.countRequest(NOW + MINUTE - 1);
      expect(vitals.requestsInMinute(NOW + 30_000)).toBe(2);
      expect(vitals.requestsInMinute(NOW + MINUTE)).toBe(0);
      vitals.countRequest(NOW + MINUTE);
      expect(vitals.requestsInMinute(NOW + MINUTE)).toBe(1);
    });

    test("one that read the clock before the minute ended does not undo what was counted since", () => {
      vitals.countRequest(NOW + MINUTE);
      vitals.countRequest(NOW + MINUTE - 1);
      vitals.countRequest(NOW + MINUTE);
      expect(vitals.requestsInMinute(NOW + MINUTE)).toBeGreaterThanOrEqual(2);
    });

    test("measurements weigh the newest by a fifth, and the first one counts in full", () => {
      vitals.succeeded(NOW, 1_000);
      expect([vitals.firstTokenMs, vitals.errorRate, vitals.samples]).toEqual([1_000, 0, 1]);
      vitals.succeeded(NOW, 2_000);
      expect(vitals.firstTokenMs).toBeCloseTo(1_200, 6);
      vitals.succeeded(NOW, 0);
      expect(vitals.firstTokenMs).toBeCloseTo(1_200, 6);
      vitals.failed(NOW, POLICY);
      expect(vitals.errorRate).toBeCloseTo(0.2, 6);
      expect(vitals.samples).toBe(4);
      board.of(other).failed(NOW, POLICY);
      expect(board.of(other).errorRate).toBe(1);
    });

    test("the smallest headroom is known until its limit is full again", () => {
      vitals.noteHeadroom(0.1, NOW + 1_000);
      expect(vitals.headroom(NOW)).toBeCloseTo(0.1, 6);
      expect(vitals.headroom(NOW + 1_000)).toBe(1);
    });

    test("a newer note replaces an older one unless that is smaller and holds for longer", () => {
      vitals.noteHeadroom(0.3, NOW + 5_000);
      vitals.noteHeadroom(0.8, NOW + 1_000);
      expect(vitals.headroom(NOW)).toBeCloseTo(0.3, 6);
      vitals.noteHeadroom(0.2, NOW + 1_000);
      expect(vitals.headroom(NOW)).toBeCloseTo(0.2, 6);
      vitals.noteHeadroom(0.9, NOW + 1_000);
      expect(vitals.headroom(NOW)).toBeCloseTo(0.9, 6);
      vitals.noteHeadroom(7, NOW + 9_000);
      expect(vitals.headroom(NOW)).toBe(1);
    });

    test("refusals without a hint are counted in a row until a success, or for so long", () => {
      expect([vitals.strike(NOW, 1_000), vitals.strike(NOW + 999, 1_000)]).toEqual([1, 2]);
      expect(vitals.strike(NOW + 1_999, 1_000)).toBe(1);
      vitals.succeeded(NOW, 0);
      expect(vitals.strike(NOW + 2_000, 1_000)).toBe(1);
    });

    test("stalls are counted within a window, which begins anew at the limit", () => {
      const stall = (atMs: number): number => vitals.countStall(NOW + atMs, 1_000, 3);
      expect([stall(0), stall(500), stall(900), stall(950)]).toEqual([1, 2, 3, 1]);
      expect([stall(1_900), stall(1_950), stall(2_000)]).toEqual([2, 1, 2]);
    });

    test("recovering forgets cooling, circuit, strikes, stalls and what was measured", () => {
      vitals.cool(NOW + MINUTE, "rule");
      vitals.strike(NOW, MINUTE);
      vitals.countStall(NOW, MINUTE, 3);
      vitals.noteHeadroom(0, NOW + MINUTE);
      vitals.succeeded(NOW, 500);
      openCircuit(vitals, NOW);
      vitals.recover(NOW);
      expect([vitals.coolingUntilMs, vitals.coolingReason, vitals.circuit(NOW)]).toEqual([
        0,
        undefined,
        "closed",
      ]);
      expect([vitals.firstTokenMs, vitals.errorRate, vitals.samples]).toEqual([0, 0, 0]);
      expect([vitals.strike(NOW, MINUTE), vitals.countStall(NOW, MINUTE, 3)]).toEqual([1, 1]);
      expect(vitals.headroom(NOW)).toBe(1);
      expect(vitals.failed(NOW, POLICY)).toBe("none");
    });
  });

  describe(`circuit on ${name}`, () => {
    test("opens on failures in a row, and only on those", () => {
      vitals.failed(NOW, POLICY);
      vitals.failed(NOW, POLICY);
      expect(vitals.succeeded(NOW, 0)).toBe("none");
      expect([1, 2, 3].map(() => vitals.failed(NOW, POLICY))).toEqual(["none", "none", "opened"]);
      expect(vitals.circuit(NOW)).toBe("open");
    });

    test("is half-open when its time is over, whatever failed meanwhile", () => {
      openCircuit(vitals, NOW);
      expect(vitals.failed(NOW + 900, POLICY)).toBe("none");
      expect(vitals.circuit(NOW + 999)).toBe("open");
      expect(vitals.circuit(NOW + 1_000)).toBe("half-open");
      expect(vitals.failed(NOW + 1_000, POLICY)).toBe("none");
      expect(vitals.circuit(NOW + 1_000)).toBe("half-open");
    });

    test("lets everyone through while closed, nobody while open, one while half-open", () => {
      expect([vitals.tryProbe(NOW, PROBE_MS), vitals.tryProbe(NOW, PROBE_MS)]).toEqual([true, true]);
      openCircuit(vitals, NOW);
      expect(vitals.tryProbe(NOW + 999, PROBE_MS)).toBe(false);
      expect(vitals.tryProbe(NOW + 1_000, PROBE_MS)).toBe(true);
      expect(vitals.tryProbe(NOW + 1_000, PROBE_MS)).toBe(false);
    });

    test("closes on a probe that goes well, and begins anew", () => {
      openCircuit(vitals, NOW);
      vitals.tryProbe(NOW + 1_000, PROBE_MS);
      expect(vitals.succeeded(NOW + 1_500, 0)).toBe("closed");
      expect(vitals.circuit(NOW + 1_500)).toBe("closed");
      expect(vitals.failed(NOW + 1_600, POLICY)).toBe("none");
      openCircuit(vitals, NOW + 2_000);
      expect(vitals.circuit(NOW + 3_000)).toBe("half-open");
    });

    test("stays open twice as long after each probe that fails, up to its limit", () => {
      openCircuit(vitals, NOW);
      let nowMs = NOW + 1_000;
      for (const openMs of [2_000, 3_000, 3_000]) {
        expect(vitals.tryProbe(nowMs, PROBE_MS)).toBe(true);
        expect(vitals.failed(nowMs, POLICY)).toBe("opened");
        expect(vitals.circuit(nowMs + openMs - 1)).toBe("open");
        nowMs += openMs;
        expect(vitals.circuit(nowMs)).toBe("half-open");
      }
    });

    test("a probe that says nothing, or never ends, leaves the right to the next one", () => {
      openCircuit(vitals, NOW);
      const atMs = NOW + 1_000;
      vitals.tryProbe(atMs, PROBE_MS);
      vitals.abstained();
      expect(vitals.circuit(atMs)).toBe("half-open");
      expect(vitals.tryProbe(atMs, PROBE_MS)).toBe(true);
      expect(vitals.tryProbe(atMs + PROBE_MS - 1, PROBE_MS)).toBe(false);
      expect(vitals.tryProbe(atMs + PROBE_MS, PROBE_MS)).toBe(true);
    });
  });

  describe(`active conversations on ${name}`, () => {
    const limit = { sessionsMax: 2, idleMs: 1_000 };

    test("admits as many as may be active, and those always", () => {
      expect(vitals.wouldAdmitSession("a", limit, NOW)).toBe(true);
      expect(vitals.activeSessions(limit.idleMs, NOW)).toBe(0);
      const admitted = ["a", "b", "c", "a"].map((key) => vitals.admitSession(key, limit, NOW));
      expect(admitted).toEqual([true, true, false, true]);
      expect(vitals.activeSessions(limit.idleMs, NOW)).toBe(2);
      expect(vitals.wouldAdmitSession("a", limit, NOW)).toBe(true);
      expect(vitals.wouldAdmitSession("c", limit, NOW)).toBe(false);
      expect(board.of(other).admitSession("c", limit, NOW)).toBe(true);
    });

    test("a conversation makes room when it was idle for long enough", () => {
      vitals.admitSession("a", limit, NOW);
      vitals.admitSession("b", limit, NOW + 500);
      vitals.admitSession("a", limit, NOW + 900);
      expect(vitals.admitSession("c", limit, NOW + 1_499)).toBe(false);
      expect(vitals.wouldAdmitSession("c", limit, NOW + 1_500)).toBe(true);
      expect(vitals.admitSession("c", limit, NOW + 1_500)).toBe(true);
      expect(vitals.wouldAdmitSession("b", limit, NOW + 1_500)).toBe(false);
      expect(vitals.activeSessions(limit.idleMs, NOW + 1_500)).toBe(2);
      expect(vitals.activeSessions(limit.idleMs, NOW + 9_999)).toBe(0);
    });

    test("a lowered limit takes nothing away", () => {
      vitals.admitSession("a", limit, NOW);
      vitals.admitSession("b", limit, NOW);
      const lowered = { ...limit, sessionsMax: 1 };
      expect(vitals.admitSession("b", lowered, NOW)).toBe(true);
      expect(vitals.admitSession("c", lowered, NOW)).toBe(false);
    });
  });

  describe(`rests for models on ${name}`, () => {
    test("an account rests for one model, until the latest end", () => {
      expect(board.modelCoolingUntilMs(account, "m")).toBe(0);
      board.coolModel(account, "m", NOW + 2_000);
      board.coolModel(account, "m", NOW + 1_000);
      expect(board.modelCoolingUntilMs(account, "m")).toBe(NOW + 2_000);
      expect(board.modelCoolingUntilMs(account, "n")).toBe(0);
      expect(board.modelCoolingUntilMs(other, "m")).toBe(0);
      board.coolModel(account, "m", NOW + 3_000);
      expect(board.modelCoolingUntilMs(account, "m")).toBe(NOW + 3_000);
    });

    test("recovering ends the rests of that account for all models", () => {
      for (const id of [account, other]) for (const model of ["m", "n"]) board.coolModel(id, model, NOW + 1);
      board.recoverModels(account);
      const left = [account, other].map((id) => ["m", "n"].map((m) => board.modelCoolingUntilMs(id, m)));
      expect(left).toEqual([
        [0, 0],
        [NOW + 1, NOW + 1],
      ]);
    });
  });
}
