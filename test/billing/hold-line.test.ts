import { expect, test } from "bun:test";
import { HoldLine, type HoldTry } from "#billing/hold-line.ts";
import type { RequestHold } from "#billing/hold-request.ts";
import type { Purse } from "#coordination/holds.ts";
import { Fault } from "#kernel/fault.ts";

const payer: Purse = { kind: "user", id: 1 };
const short = new Fault("billing.balance_exhausted");
const forEver = new AbortController().signal;

/** Money for so many requests, some of it given out. */
class FakePurse {
  readonly line = new HoldLine();
  readonly served: string[] = [];
  free = 0;
  givenBack = 0;

  wait(name: string, signal = forEver, waitMsMax = 5_000): Promise<RequestHold> {
    const attempt = (): HoldTry => {
      if (this.free === 0) return { kind: "later", fault: short };
      this.free--;
      this.served.push(name);
      return { kind: "granted", hold: { settle: () => void this.givenBack++ } as unknown as RequestHold };
    };
    return this.line.wait(payer, { attempt, fault: short, waitMsMax, signal });
  }

  release(count: number): void {
    this.free += count;
    this.line.givenBack(payer);
  }
}

test("whoever came first is served first, as far as the money goes", async () => {
  const purse = new FakePurse();
  const waits = ["a", "b", "c", "d"].map((name) => purse.wait(name));
  purse.release(2);
  await Promise.all(waits.slice(0, 2));
  expect(purse.served).toEqual(["a", "b"]);
  expect(purse.line.hasWaiters(payer)).toBe(true);
  purse.release(2);
  await Promise.all(waits);
  expect(purse.served).toEqual(["a", "b", "c", "d"]);
  expect(purse.line.hasWaiters(payer)).toBe(false);
});

test("money that another thread has given back is found without being told of", async () => {
  const purse = new FakePurse();
  const wait = purse.wait("a");
  purse.free = 1;
  await wait;
  expect(purse.served).toEqual(["a"]);
});

test("a client that goes makes way for those behind it", async () => {
  const purse = new FakePurse();
  const leaving = new AbortController();
  const first = purse.wait("a", leaving.signal);
  const second = purse.wait("b");
  leaving.abort();
  await expect(first).rejects.toMatchObject({ code: "admit.client_gone" });
  purse.release(1);
  await second;
  expect(purse.served).toEqual(["b"]);
});

test("who waits in vain is told why, and keeps nobody waiting", async () => {
  const purse = new FakePurse();
  await expect(purse.wait("a", forEver, 10)).rejects.toBe(short);
  expect(purse.line.hasWaiters(payer)).toBe(false);
});

test("money that comes when the client has gone goes back", async () => {
  const line = new HoldLine();
  const leaving = new AbortController();
  const money = Promise.withResolvers<HoldTry>();
  let givenBack = 0;
  const wait = line.wait(payer, {
    attempt: () => money.promise,
    fault: short,
    waitMsMax: 5_000,
    signal: leaving.signal,
  });
  line.givenBack(payer);
  leaving.abort();
  await expect(wait).rejects.toMatchObject({ code: "admit.client_gone" });
  money.resolve({ kind: "granted", hold: { settle: () => void givenBack++ } as unknown as RequestHold });
  await Bun.sleep(1);
  expect(givenBack).toBe(1);
});
