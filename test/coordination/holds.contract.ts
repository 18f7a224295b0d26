import { beforeAll, describe, expect, test } from "bun:test";
import type { Hold, HoldAnswer, HoldGrowth, HoldRequest, Holds, Purse } from "#coordination/holds.ts";
import { HandClock } from "./hand-clock.ts";

let ids = 0;
const freshPurse = (): Purse => ({ kind: "user", id: ++ids });
const at = (availableNanos: number, revision = 1) => ({ availableNanos, revision });

/** A backend, and the means to let time pass for it; the clock is moved as well. */
export interface HoldsStage {
  readonly holds: Holds;
  readonly advance: (ms: number) => void | Promise<void>;
}

/** The promises of the `Holds` port, held against one backend. */
export function describeHolds(
  name: string,
  open: (clock: HandClock) => HoldsStage | Promise<HoldsStage>,
): void {
  describe(`holds on ${name}`, () => {
    const clock = new HandClock();
    let holds: Holds;
    let advance: HoldsStage["advance"];

    beforeAll(async () => {
      ({ holds, advance } = await open(clock));
    });

    const ask = (purse: Purse, amountNanos: number, rest: Partial<HoldRequest> = {}): HoldRequest => ({
      purse,
      requestId: `req_${++ids}`,
      amountNanos,
      books: at(100),
      expiresAtMs: clock.nowMs + 60_000,
      ...rest,
    });
    const more = (moreNanos: number, rest: Partial<HoldGrowth> = {}): HoldGrowth => ({
      moreNanos,
      books: at(100),
      overdraftNanos: 0,
      expiresAtMs: clock.nowMs + 60_000,
      ...rest,
    });
    const granted = async (request: HoldRequest): Promise<Hold> => {
      const answer = await holds.take(request);
      if (!answer.granted) throw new Error(`refused: ${answer.refusal}`);
      return answer.hold;
    };

    test("of a thousand requests at once exactly the affordable ones are let in", async () => {
      const purse = freshPurse();
      const asked = Array.from({ length: 1_000 }, () => holds.take(ask(purse, 10)));
      const answers = await Promise.all<HoldAnswer>(asked);
      expect(answers.filter((answer) => answer.granted).length).toBe(10);
      expect(await holds.status(purse)).toEqual({ heldNanos: 100, unbookedNanos: 0 });
    });

    test("a refusal says how much is left, and holds nothing", async () => {
      const purse = freshPurse();
      await granted(ask(purse, 70));
      expect(await holds.take(ask(purse, 31))).toEqual({
        granted: false,
        refusal: "unaffordable",
        freeNanos: 30,
        heldNanos: 70,
      });
      await granted(ask(purse, 30));
    });

    test("of several purses each gives, or none, whichever of them has too little", async () => {
      const [rich, poor] = [freshPurse(), freshPurse()];
      const both = (amountNanos: number) =>
        holds.takeAll([ask(rich, amountNanos), ask(poor, amountNanos, { books: at(50) })]);
      expect(await both(51)).toEqual({
        granted: false,
        refusal: "unaffordable",
        index: 1,
        freeNanos: 50,
        heldNanos: 0,
      });
      expect(await holds.status(rich)).toEqual({ heldNanos: 0, unbookedNanos: 0 });
      const answer = await both(50);
      if (!answer.granted) throw new Error("refused");
      const purses = answer.holds.map(({ purse, amountNanos }) => ({ purse, amountNanos }));
      expect(purses).toEqual([rich, poor].map((purse) => ({ purse, amountNanos: 50 })));
      await Promise.all(answer.holds.map((hold) => hold.settle(7)));
      expect(await holds.status(rich)).toEqual({ heldNanos: 0, unbookedNanos: 7 });
      expect(await holds.status(poor)).toEqual({ heldNanos: 0, unbookedNanos: 7 });
    });

    test("what was held beyond the cost is free again at once, the cost itself is not", async () => {
      const purse = freshPurse();
      const hold = await granted(ask(purse, 100));
      await hold.settle(40);
      expect(await holds.status(purse)).toEqual({ heldNanos: 0, unbookedNanos: 40 });
      expect(await holds.take(ask(purse, 61))).toMatchObject({ granted: false, freeNanos: 60 });
      await granted(ask(purse, 60));
    });

    test("a booked cost counts once: no more when the books with it are known", async () => {
      const purse = freshPurse();
      await (await granted(ask(purse, 100))).settle(40);
      await holds.booked({ purse, costNanos: 40 }, at(60, 2));
      expect(await holds.status(purse)).toEqual({ heldNanos: 0, unbookedNanos: 0 });
      const old = { books: at(100, 1) };
      expect(await holds.take(ask(purse, 61, old))).toMatchObject({ granted: false, freeNanos: 60 });
      await granted(ask(purse, 60, old));
    });

    test("books that come late do not undo newer ones", async () => {
      const purse = freshPurse();
      for (const cost of [10, 20]) await (await granted(ask(purse, cost))).settle(cost);
      await holds.booked({ purse, costNanos: 20 }, at(70, 3));
      await holds.booked({ purse, costNanos: 10 }, at(90, 2));
      expect(await holds.take(ask(purse, 71))).toMatchObject({ granted: false, freeNanos: 70 });
    });

    test("money that is added or taken away counts from the next request on", async () => {
      const purse = freshPurse();
      await granted(ask(purse, 100));
      await granted(ask(purse, 50, { books: at(150, 2) }));
      expect(await holds.take(ask(purse, 1, { books: at(20, 3) }))).toMatchObject({ freeNanos: -130 });
    });

    test("a hold grows as far as the purse allows, and into the overdraft only where that is allowed", async () => {
      const purse = freshPurse();
      const hold = await granted(ask(purse, 60));
      expect(await hold.extend(more(30))).toBe(true);
      expect(await hold.extend(more(11))).toBe(false);
      expect(hold.amountNanos).toBe(90);
      expect(await hold.extend(more(30, { overdraftNanos: 20 }))).toBe(true);
      expect(await hold.extend(more(1, { overdraftNanos: 20 }))).toBe(false);
      expect(await holds.status(purse)).toEqual({ heldNanos: 120, unbookedNanos: 0 });
    });

    test("settling twice is settling once", async () => {
      const purse = freshPurse();
      const hold = await granted(ask(purse, 30));
      await granted(ask(purse, 30));
      await hold.settle(20);
      await hold.settle(20);
      expect(await hold.extend(more(1))).toBe(false);
      expect(await holds.status(purse)).toEqual({ heldNanos: 30, unbookedNanos: 20 });
    });

    test("a hold that nobody settles in time gives way, and its cost counts when it comes all the same", async () => {
      const purse = freshPurse();
      const late = await granted(ask(purse, 100, { expiresAtMs: clock.nowMs + 1_000 }));
      await advance(1_000);
      await granted(ask(purse, 80));
      expect(await late.extend(more(1))).toBe(false);
      await late.settle(15);
      expect(await holds.status(purse)).toEqual({ heldNanos: 80, unbookedNanos: 15 });
    });

    test("a hold that has expired does not grow, even where nobody has wanted its money", async () => {
      const purse = freshPurse();
      const late = await granted(ask(purse, 10, { expiresAtMs: clock.nowMs + 1_000 }));
      await advance(1_000);
      expect(await late.extend(more(1))).toBe(false);
    });

    test("a hold whose end is put off stays", async () => {
      const purse = freshPurse();
      const hold = await granted(ask(purse, 100, { expiresAtMs: clock.nowMs + 1_000 }));
      expect(await hold.extend(more(0, { expiresAtMs: clock.nowMs + 3_000 }))).toBe(true);
      await advance(2_000);
      expect(await holds.take(ask(purse, 1))).toMatchObject({ granted: false, freeNanos: 0 });
    });

    test("a request that costs nothing needs nothing", async () => {
      const purse = freshPurse();
      const hold = await granted(ask(purse, 0, { books: at(-5) }));
      await hold.settle(0);
      expect(await holds.status(purse)).toEqual({ heldNanos: 0, unbookedNanos: 0 });
    });

    test("a purse without a limit refuses nobody, and is counted all the same", async () => {
      const purse = freshPurse();
      const hold = await granted(ask(purse, 2 ** 40, { books: at(Number.POSITIVE_INFINITY) }));
      await hold.settle(7);
      expect(await holds.status(purse)).toEqual({ heldNanos: 0, unbookedNanos: 7 });
    });

    test("amounts are exact up to nine million dollars", async () => {
      const purse = freshPurse();
      const books = at(Number.MAX_SAFE_INTEGER);
      await granted(ask(purse, Number.MAX_SAFE_INTEGER - 1, { books }));
      expect(await holds.take(ask(purse, 2, { books }))).toMatchObject({ granted: false, freeNanos: 1 });
      await granted(ask(purse, 1, { books }));
    });

    test("purses of users, keys and subscriptions with the same id are strangers", async () => {
      const { id } = freshPurse();
      for (const kind of ["user", "key", "subscription"] as const) {
        await granted(ask({ kind, id }, 100));
        expect(await holds.status({ kind, id })).toEqual({ heldNanos: 100, unbookedNanos: 0 });
      }
    });

    test("costs that are counted anew replace all that this thread answered for", async () => {
      const [known, gone] = [freshPurse(), freshPurse()];
      for (const purse of [known, gone]) await (await granted(ask(purse, 50))).settle(50);
      await holds.recount([
        { purse: known, costNanos: 3 },
        { purse: known, costNanos: 4 },
      ]);
      expect(await holds.status(known)).toEqual({ heldNanos: 0, unbookedNanos: 7 });
      expect(await holds.status(gone)).toEqual({ heldNanos: 0, unbookedNanos: 0 });
    });
  });
}
