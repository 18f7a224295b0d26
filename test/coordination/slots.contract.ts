import { beforeAll, describe, expect, test } from "bun:test";
import type { Holder, SlotAnswer, SlotRequest, Slots } from "#coordination/slots.ts";
import type { Lease } from "#kernel/lease.ts";

let ids = 0;
const freshHolder = (): Holder => ({ kind: "user", id: ++ids });

const ask = (holder: Holder, limit: number, rest: Partial<SlotRequest> = {}): SlotRequest => ({
  holder,
  limit,
  waitersMax: 100,
  waitMsMax: 5_000,
  signal: new AbortController().signal,
  ...rest,
});

async function granted(answer: SlotAnswer | Promise<SlotAnswer>): Promise<Lease> {
  const settled = await answer;
  if (!settled.granted) throw new Error(`refused: ${settled.refusal}`);
  return settled.lease;
}

/** The promises of the `Slots` port, held against one backend. */
export function describeSlots(name: string, open: () => Slots | Promise<Slots>): void {
  describe(`slots on ${name}`, () => {
    let slots: Slots;

    beforeAll(async () => {
      slots = await open();
    });

    test("grants up to the limit at once and makes the next one wait", async () => {
      const holder = freshHolder();
      const first = await granted(slots.acquire(ask(holder, 2)));
      await granted(slots.acquire(ask(holder, 2)));
      const third = Promise.resolve(slots.acquire(ask(holder, 2)));
      expect(await slots.status(holder)).toMatchObject({ inFlight: 2, waiting: 1, limit: 2 });
      first.release();
      await granted(third);
      expect(await slots.status(holder)).toMatchObject({ inFlight: 2, waiting: 0 });
    });

    test("serves those who wait in the order in which they came", async () => {
      const holder = freshHolder();
      const first = await granted(slots.acquire(ask(holder, 1)));
      const served: number[] = [];
      const waiting = Array.from({ length: 20 }, async (_, place) => {
        const lease = await granted(slots.acquire(ask(holder, 1)));
        served.push(place);
        lease.release();
      });
      first.release();
      await Promise.all(waiting);
      expect(served).toEqual(Array.from({ length: 20 }, (_, place) => place));
      expect((await slots.status(holder)).inFlight).toBe(0);
    });

    test("a lease that is released twice gives one slot back", async () => {
      const holder = freshHolder();
      const lease = await granted(slots.acquire(ask(holder, 2)));
      await granted(slots.acquire(ask(holder, 2)));
      lease.release();
      lease.release();
      expect((await slots.status(holder)).inFlight).toBe(1);
    });

    test("one that leaves the line is skipped and not counted", async () => {
      const holder = freshHolder();
      const first = await granted(slots.acquire(ask(holder, 1)));
      const leaving = new AbortController();
      const left = slots.acquire(ask(holder, 1, { signal: leaving.signal }));
      const stays = slots.acquire(ask(holder, 1));
      leaving.abort();
      expect(await left).toMatchObject({ granted: false, refusal: "gone" });
      expect((await slots.status(holder)).waiting).toBe(1);
      first.release();
      await granted(stays);
    });

    test("one that has left already is not let in", async () => {
      const holder = freshHolder();
      const signal = AbortSignal.abort();
      expect(await slots.acquire(ask(holder, 1, { signal }))).toMatchObject({ refusal: "gone" });
      expect((await slots.status(holder)).inFlight).toBe(0);
    });

    test("refuses to lengthen a line that is full, and says how long it is", async () => {
      const holder = freshHolder();
      await granted(slots.acquire(ask(holder, 1)));
      void slots.acquire(ask(holder, 1, { waitersMax: 1 }));
      const answer = await slots.acquire(ask(holder, 1, { waitersMax: 1 }));
      expect(answer).toEqual({ granted: false, refusal: "queue-full", waiting: 1 });
    });

    test("gives up after the longest wait", async () => {
      const holder = freshHolder();
      await granted(slots.acquire(ask(holder, 1)));
      expect(await slots.acquire(ask(holder, 1, { waitMsMax: 10 }))).toMatchObject({ refusal: "timeout" });
      expect(await slots.status(holder)).toMatchObject({ inFlight: 1, waiting: 0 });
    });

    test("a raised limit lets the first in line through, a lowered one takes nothing away", async () => {
      const holder = freshHolder();
      const leases = [await granted(slots.acquire(ask(holder, 1)))];
      const second = slots.acquire(ask(holder, 1));
      slots.setLimit(holder, 2);
      leases.push(await granted(second));
      slots.setLimit(holder, 1);
      const third = Promise.resolve(slots.acquire(ask(holder, 1)));
      leases[0]?.release();
      expect(await slots.status(holder)).toMatchObject({ inFlight: 1, waiting: 1 });
      leases[1]?.release();
      (await granted(third)).release();
      expect((await slots.status(holder)).inFlight).toBe(0);
    });

    test("a limit of 0 means unlimited, and is counted all the same", async () => {
      const holder = freshHolder();
      for (let place = 0; place < 50; place++) await granted(slots.acquire(ask(holder, 0)));
      expect(await slots.status(holder)).toMatchObject({ inFlight: 50, waiting: 0, limit: 0 });
    });

    test("taking a slot without waiting never overtakes those who wait", async () => {
      const holder = freshHolder();
      const first = await slots.tryAcquire(holder, 1);
      expect(first).toBeDefined();
      expect(await slots.tryAcquire(holder, 1)).toBeUndefined();
      const waiting = slots.acquire(ask(holder, 1));
      first?.release();
      expect(await slots.tryAcquire(holder, 1)).toBeUndefined();
      await granted(waiting);
    });

    test("tells only those who really wait", async () => {
      const holder = freshHolder();
      let waits = 0;
      const onWait = (): void => void waits++;
      const lease = await granted(slots.acquire(ask(holder, 1, { onWait })));
      expect(waits).toBe(0);
      const second = slots.acquire(ask(holder, 1, { onWait }));
      await slots.status(holder);
      expect(waits).toBe(1);
      lease.release();
      await granted(second);
    });

    test("users, accounts and turns with the same id are strangers", async () => {
      const { id } = freshHolder();
      for (const kind of ["user", "account", "turn"] as const) {
        await granted(slots.acquire(ask({ kind, id }, 1)));
        expect((await slots.status({ kind, id })).inFlight).toBe(1);
      }
      await granted(slots.acquire(ask({ kind: "user", id: freshHolder().id }, 1)));
    });
  });
}
