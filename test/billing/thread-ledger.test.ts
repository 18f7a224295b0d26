import { describe, expect, test } from "bun:test";
import { type LedgerDoor, ThreadLedger } from "#billing/thread-ledger.ts";
import type { AccountId, ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { NO_USAGE, type UsageRecord } from "#domain/usage-record.ts";
import type { Log } from "#kernel/log.ts";

const recordOf = (requestId: string): UsageRecord => ({
  ...NO_USAGE,
  requestId,
  userId: 1 as UserId,
  apiKeyId: 2 as ApiKeyId,
  groupId: 3 as GroupId,
  accountId: 4 as AccountId,
  model: "claude-test",
  upstreamModel: "claude-test",
  upstreamRequestId: undefined,
  costNanos: 1n,
  status: "completed",
  httpStatus: 200,
  stream: true,
  usageComplete: true,
  durationMs: 1,
  firstTokenMs: 1,
  attempts: 1,
  createdAtMs: 0,
});

/** The ledger's side of the door: what was handed over, and how often it was hurried. */
class FakeDoor implements LedgerDoor {
  readonly batches: [batch: number, ids: readonly string[]][] = [];
  hurries = 0;
  readonly #arrived: (() => void)[] = [];

  get ids(): readonly string[] {
    return this.batches.flatMap(([, ids]) => ids);
  }

  record(batch: number, lines: readonly string[]): void {
    this.batches.push([batch, lines.map((line) => (JSON.parse(line) as { request_id: string }).request_id)]);
    for (const resolve of this.#arrived.splice(0)) resolve();
  }

  hurry(): void {
    this.hurries++;
  }

  /** Settles at the next batch. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#arrived.push(resolve));
  }
}

/** A ledger with a door, and everything it logs. */
function open() {
  const logged: [event: string, fields: Readonly<Record<string, unknown>>][] = [];
  const line = (event: string, fields = {}): void => void logged.push([event, fields]);
  const log: Log = { debug: line, info: line, warn: line, error: line };
  const ledger = new ThreadLedger(log);
  const door = new FakeDoor();
  ledger.connect(door);
  return { ledger, door, logged };
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `r${index}`);

test("records are handed over together, in order, each once", async () => {
  const { ledger, door } = open();
  for (const name of names(600)) ledger.record(recordOf(name));
  expect(door.batches.map(([, ids]) => ids.length)).toEqual([256, 256]);
  await door.next();
  expect(door.ids).toEqual(names(600));
  expect(door.hurries).toBe(0);
});

test("what is not booked yet is handed over again to a ledger that took the place of one that died", async () => {
  const { ledger, door } = open();
  for (const name of names(600)) ledger.record(recordOf(name));
  await door.next();
  ledger.booked(1);
  const second = new FakeDoor();
  ledger.connect(second);
  expect(second.batches).toEqual(door.batches.slice(1));
  ledger.record(recordOf("late"));
  await second.next();
  expect(second.ids.at(-1)).toBe("late");
  expect(door.ids).not.toContain("late");
});

describe("flushing", () => {
  test("settles at once when nothing is open", async () => {
    const { ledger, door } = open();
    await ledger.flush(1);
    expect(door.hurries).toBe(0);
  });

  test("hurries the ledger, and settles when everything recorded before is booked", async () => {
    const { ledger, door } = open();
    ledger.record(recordOf("a"));
    let isSettled = false;
    const flush = ledger.flush(1_000).then(() => {
      isSettled = true;
    });
    expect([door.ids, door.hurries]).toEqual([["a"], 1]);
    ledger.record(recordOf("b"));
    const later = ledger.flush(1_000);
    await Bun.sleep(0);
    expect(isSettled).toBe(false);
    ledger.booked(1);
    await flush;
    ledger.booked(2);
    await later;
  });

  test("is settled by a later batch too, since they are booked in order", async () => {
    const { ledger } = open();
    ledger.record(recordOf("a"));
    const flush = ledger.flush(1_000);
    ledger.record(recordOf("b"));
    const later = ledger.flush(1_000);
    ledger.booked(2);
    await Promise.all([flush, later]);
  });

  test("hurries a ledger that comes back meanwhile", async () => {
    const { ledger } = open();
    ledger.record(recordOf("a"));
    const flush = ledger.flush(1_000);
    const second = new FakeDoor();
    ledger.connect(second);
    expect([second.ids, second.hurries]).toEqual([["a"], 1]);
    ledger.booked(1);
    await flush;
  });

  test("fails when it takes too long, and loses nothing by it", async () => {
    const { ledger } = open();
    ledger.record(recordOf("a"));
    await expect(ledger.flush(1)).rejects.toThrow("behind by more than 1 ms");
    const second = new FakeDoor();
    ledger.connect(second);
    expect(second.ids).toEqual(["a"]);
    expect(second.hurries).toBe(0);
  });
});

test("too many records that are not booked are said loudly, and none is dropped", async () => {
  const { ledger, door, logged } = open();
  const count = 103_000;
  for (let index = 0; index < count; index++) ledger.record(recordOf(`r${index}`));
  expect(logged.map(([event]) => event)).toEqual(["ledger.too_many_unbooked", "ledger.too_many_unbooked"]);
  expect(logged[0]?.[1]["bound"]).toBe(50_000);
  const flush = ledger.flush(1_000);
  expect(door.ids.length).toBe(count);
  ledger.booked(door.batches.length);
  await flush;
  // Once it has caught up, the bound counts anew.
  for (let index = 0; index < 51_000; index++) ledger.record(recordOf(`s${index}`));
  expect(logged.length).toBe(3);
});
