import { expect, test } from "bun:test";
import type { BookedWindow } from "#domain/booked.ts";
import type { Group } from "#domain/group.ts";
import type { ApiKeyId, GroupId, SubscriptionId, UserId } from "#domain/ids.ts";
import type { Log } from "#kernel/log.ts";
import { Vault } from "#kernel/vault.ts";
import { Snapshot } from "#snapshot/snapshot.ts";
import type { SnapshotEntry, SnapshotKey } from "#storage/repositories/snapshot.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const USER = 1 as UserId;
const GROUP = 2 as GroupId;
const KEY = 3 as ApiKeyId;
const SUBSCRIPTION = 4 as SubscriptionId;
const NOTHING = { balances: [], quotas: [], windows: [] };
const GROUP_RATE = 1_000_000_000n;

const UNSPENT = {
  window5hStartedAtMs: null,
  window5hUsedNanos: 0n,
  window1dStartedAtMs: null,
  window1dUsedNanos: 0n,
  window7dStartedAtMs: null,
  window7dUsedNanos: 0n,
  window30dStartedAtMs: null,
  window30dUsedNanos: 0n,
};

/** The rows of a small world; what a test changes is what the snapshot reads next. */
class World {
  user: object | undefined = { id: USER, status: "active", balanceNanos: 100n, revision: 1, concurrency: 1 };
  groupRates: object[] = [];
  key: object | undefined = {
    id: KEY,
    userId: USER,
    groupId: GROUP,
    keyHash: "hash",
    status: "active",
    quotaNanos: null,
    quotaUsedNanos: 10n,
    revision: 1,
    ...UNSPENT,
  };
  subscription: object | undefined = {
    id: SUBSCRIPTION,
    userId: USER,
    groupId: GROUP,
    status: "active",
    startsAtMs: 0,
    expiresAtMs: 1_000,
    revision: 1,
    ...UNSPENT,
  };
  readonly snapshot: Snapshot;

  constructor() {
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} } as Log;
    this.snapshot = new Snapshot({
      rows: {
        loadAll: async () =>
          ({
            users: [this.user],
            groupRates: this.groupRates,
            groups: [],
            accounts: [],
            apiKeys: [this.key],
            subscriptions: [this.subscription],
            errorRules: [],
            settings: [],
          }) as never,
        loadOne: async (key) => this.#entry(key),
      },
      vault: new Vault(Buffer.alloc(32, 1).toString("base64")),
      log,
    });
  }

  async loaded(): Promise<Snapshot> {
    await this.snapshot.load();
    return this.snapshot;
  }

  #entry(key: SnapshotKey): SnapshotEntry {
    const rows = { user: this.user, "api-key": this.key, subscription: this.subscription };
    return { ...key, row: rows[key.kind as keyof typeof rows], groupRates: this.groupRates } as never;
  }
}

const keyWindow = (revision: number, usedNanos: bigint): BookedWindow => ({
  kind: "key",
  id: KEY,
  span: "5h",
  startedAtMs: 500,
  usedNanos,
  revision,
});

test("amounts that were booked are taken over, and hearing twice is hearing once", async () => {
  const snapshot = await new World().loaded();
  const booked = {
    balances: [{ userId: USER, balanceNanos: 90n, revision: 2 }],
    quotas: [{ apiKeyId: KEY, usedNanos: 20n, revision: 2 }],
    windows: [
      keyWindow(2, 10n),
      { ...keyWindow(2, 10n), span: "7d" } as BookedWindow,
      { ...keyWindow(2, 4n), kind: "subscription", id: SUBSCRIPTION, span: "30d" } as BookedWindow,
    ],
  };
  for (let time = 0; time < 2; time++) {
    snapshot.applyBooked(booked);
    expect(snapshot.user(USER)?.balanceNanos).toBe(90n);
    expect(snapshot.quotaUsedNanos(KEY)).toBe(20n);
    const window = { startedAtMs: 500, usedNanos: 10n };
    expect([snapshot.keyWindow(KEY, "5h"), snapshot.keyWindow(KEY, "7d")]).toEqual([window, window]);
    expect(snapshot.keyWindow(KEY, "1d")).toBeUndefined();
    expect(snapshot.subscriptionWindow(SUBSCRIPTION, "30d")?.usedNanos).toBe(4n);
  }
});

test("in whatever order bookings are heard of and rows are read, the newest amounts stay", async () => {
  for (let seed = 0; seed < 200; seed++) {
    const shuffle = new Shuffle(seed);
    const world = new World();
    const snapshot = await world.loaded();
    const [user, key] = [world.user, world.key];
    const news = Array.from({ length: 8 }, (_, index) => 2 + index);
    while (news.length > 0) {
      const [revision = 0] = news.splice(shuffle.below(news.length), 1);
      const amount = BigInt(revision);
      if (shuffle.below(2) === 0) {
        snapshot.applyBooked({
          balances: [{ userId: USER, balanceNanos: amount, revision }],
          quotas: [{ apiKeyId: KEY, usedNanos: amount, revision }],
          windows: [keyWindow(revision, amount)],
        });
        continue;
      }
      world.user = { ...user, balanceNanos: amount, revision };
      world.key = {
        ...key,
        quotaUsedNanos: amount,
        window5hStartedAtMs: 500,
        window5hUsedNanos: amount,
        revision,
      };
      await snapshot.apply({ kind: "user", id: USER });
      await snapshot.apply({ kind: "api-key", id: KEY });
    }
    const { balanceNanos } = snapshot.user(USER) ?? {};
    const { usedNanos } = snapshot.keyWindow(KEY, "5h") ?? {};
    expect([balanceNanos, snapshot.quotaUsedNanos(KEY), usedNanos]).toEqual([9n, 9n, 9n]);
    expect([snapshot.user(USER)?.revision, snapshot.keyRevision(KEY)]).toEqual([9, 9]);
  }
});

test("an older reading still brings what else has changed", async () => {
  const world = new World();
  const snapshot = await world.loaded();
  snapshot.applyBooked({ ...NOTHING, balances: [{ userId: USER, balanceNanos: 1n, revision: 5 }] });
  world.user = { ...world.user, status: "disabled", revision: 4 };
  await snapshot.apply({ kind: "user", id: USER });
  expect(snapshot.user(USER)).toMatchObject({ status: "disabled", balanceNanos: 1n });
});

test("a reset is taken over, and a booking from before it changes nothing", async () => {
  const world = new World();
  const snapshot = await world.loaded();
  snapshot.applyBooked({ ...NOTHING, windows: [keyWindow(2, 8n)] });
  world.key = { ...world.key, ...UNSPENT, revision: 3 };
  await snapshot.apply({ kind: "api-key", id: KEY });
  snapshot.applyBooked({ ...NOTHING, windows: [keyWindow(2, 8n)] });
  expect(snapshot.keyWindow(KEY, "5h")).toBeUndefined();
});

test("a cancelled or deleted subscription pays no more, and one that follows it does", async () => {
  const world = new World();
  const snapshot = await world.loaded();
  expect(snapshot.subscription(USER, GROUP)?.id).toBe(SUBSCRIPTION);
  const first = world.subscription;
  const next = 5 as SubscriptionId;
  world.subscription = { ...first, id: next };
  await snapshot.apply({ kind: "subscription", id: next });
  world.subscription = { ...first, status: "cancelled", revision: 2 };
  await snapshot.apply({ kind: "subscription", id: SUBSCRIPTION });
  expect(snapshot.subscription(USER, GROUP)?.id).toBe(next);
  expect(snapshot.subscriptionById(SUBSCRIPTION)).toBeUndefined();
  expect(snapshot.subscriptionRevision(next)).toBe(1);
  world.subscription = undefined;
  await snapshot.apply({ kind: "subscription", id: next });
  expect(snapshot.subscription(USER, GROUP)).toBeUndefined();
});

test("what belongs to a deleted user or key is forgotten", async () => {
  const world = new World();
  const snapshot = await world.loaded();
  world.user = undefined;
  world.key = undefined;
  await snapshot.apply({ kind: "user", id: USER });
  await snapshot.apply({ kind: "api-key", id: KEY });
  snapshot.applyBooked({
    balances: [{ userId: USER, balanceNanos: 1n, revision: 9 }],
    quotas: [{ apiKeyId: KEY, usedNanos: 1n, revision: 9 }],
    windows: [keyWindow(9, 1n)],
  });
  expect(snapshot.user(USER)).toBeUndefined();
  expect(snapshot.subscription(USER, GROUP)).toBeUndefined();
  expect([snapshot.quotaUsedNanos(KEY), snapshot.keyWindow(KEY, "5h")]).toEqual([0n, undefined]);
});

test("a user's own multiplier goes before the group's, 0 included, until it is taken away", async () => {
  const world = new World();
  const group = { id: GROUP, rateMultiplierNanos: GROUP_RATE } as Group;
  world.groupRates = [{ userId: USER, groupId: GROUP, rateMultiplierNanos: 0n }];
  const snapshot = await world.loaded();
  expect(snapshot.rateMultiplierNanos(USER, group)).toBe(0n);
  expect(snapshot.rateMultiplierNanos(USER, { ...group, id: 9 as GroupId })).toBe(GROUP_RATE);
  world.groupRates = [];
  await snapshot.apply({ kind: "user", id: USER });
  expect(snapshot.rateMultiplierNanos(USER, group)).toBe(GROUP_RATE);
});
