import { describe, expect, test } from "bun:test";
import { AccountSpend } from "#accounts/account-spend.ts";
import { type AccountQuota, QUOTA_RESETS, type QuotaReset } from "#domain/account-limits.ts";
import type { AccountId } from "#domain/ids.ts";
import { QUARTER_MS, QUARTERS_KEPT_MS, type QuarterSpend } from "#domain/quarter-spend.ts";
import { lastResetMs } from "#domain/quota-window.ts";
import { Shuffle } from "../coordination/shuffle.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.parse("2026-03-20T00:00:00Z");
const id = 7 as AccountId;

const quotaOf = (changes: Partial<AccountQuota>): AccountQuota => ({
  totalNanos: undefined,
  dailyNanos: undefined,
  weeklyNanos: undefined,
  reset: "rolling",
  resetHour: 5,
  resetWeekday: 1,
  resetTimezone: "Europe/Berlin",
  ...changes,
});

const limited = (quota: AccountQuota | undefined, windowCost?: [limit: number, reserve: number]) => ({
  id,
  quota,
  windowCost:
    windowCost === undefined ? undefined : { limitNanos: windowCost[0], stickyReserveNanos: windowCost[1] },
});

const quarterOf = (ms: number): number => Math.floor(ms / QUARTER_MS) * QUARTER_MS;

/** An account that has cost this much in the quarter of this moment. */
function spentAt(...costs: readonly (readonly [atMs: number, costNanos: number])[]): AccountSpend {
  const spend = new AccountSpend();
  spend.apply(costs.map(([atMs, costNanos]) => ({ accountId: id, quarterMs: quarterOf(atMs), costNanos })));
  return spend;
}

/** The costs of all quarters, added up anew for every question. */
class NaiveSpend {
  readonly quarters = new Map<number, number>();

  add(atMs: number, nanos: number): QuarterSpend {
    const quarterMs = quarterOf(atMs);
    const costNanos = (this.quarters.get(quarterMs) ?? 0) + nanos;
    this.quarters.set(quarterMs, costNanos);
    return { accountId: id, quarterMs, costNanos };
  }

  since(ms: number): number {
    let sum = 0;
    for (const [quarterMs, nanos] of this.quarters) sum += quarterMs >= ms ? nanos : 0;
    return sum;
  }

  spent(quota: AccountQuota | undefined, nowMs: number) {
    const from = (period: "daily" | "weekly", lengthMs: number): number =>
      quota?.reset === "fixed" ? lastResetMs(quota, period, nowMs) : quarterOf(nowMs) - lengthMs;
    return {
      totalNanos: this.since(Number.NEGATIVE_INFINITY),
      dailyNanos: this.since(from("daily", DAY_MS)),
      weeklyNanos: this.since(from("weekly", 7 * DAY_MS)),
      windowNanos: this.since(quarterOf(nowMs) - 5 * HOUR_MS),
    };
  }
}

/** Weeks of requests whose costs are announced late, repeatedly and in disorder, with a question at every step. */
function compareOverWeeks(seed: number, reset: QuotaReset): void {
  const shuffle = new Shuffle(seed);
  const naive = new NaiveSpend();
  const spend = new AccountSpend();
  const quotas = [undefined, quotaOf({ reset, dailyNanos: 1 }), quotaOf({ reset, weeklyNanos: 1 })];
  let nowMs = START_MS;
  let news: QuarterSpend[] = [];
  for (let step = 0; step < 1_500; step++) {
    nowMs += shuffle.below(shuffle.below(20) === 0 ? 3 * HOUR_MS : 20 * 60_000);
    for (let count = shuffle.below(4); count > 0; count--) {
      news.push(naive.add(nowMs - shuffle.below(2 * HOUR_MS), 1 + shuffle.below(1_000_000_000)));
    }
    spend.apply([...news].reverse());
    if (shuffle.below(3) === 0) news = [];
    const quota = quotas[shuffle.below(quotas.length)];
    const found = spend.spent(limited(quota), nowMs);
    expect({ seed, step, found }).toEqual({ seed, step, found: naive.spent(quota, nowMs) });
  }
}

describe("what an account has cost equals the plain sum", () => {
  test.each(QUOTA_RESETS)("with %s windows, over weeks of late, repeated and disordered news", (reset) => {
    for (let seed = 1; seed <= 6; seed++) compareOverWeeks(seed, reset);
  });

  test("when most of it was stored before this thread began", () => {
    const shuffle = new Shuffle(3);
    const naive = new NaiveSpend();
    for (let run = 0; run < 3_000; run++) naive.add(START_MS - shuffle.below(30 * DAY_MS), run);
    const fromMs = START_MS - QUARTERS_KEPT_MS;
    const recent = [...naive.quarters]
      .filter(([quarterMs]) => quarterMs >= fromMs)
      .map(([quarterMs, costNanos]) => ({ accountId: id, quarterMs, costNanos }))
      .sort((a, b) => a.quarterMs - b.quarterMs);
    const olderNanos = naive.since(0) - naive.since(fromMs);
    const spend = new AccountSpend();
    spend.load({ fromMs, older: [{ accountId: id, costNanos: olderNanos }], recent });
    for (let ms = START_MS; ms < START_MS + DAY_MS; ms += QUARTER_MS / 2) {
      spend.apply([naive.add(ms, 17)]);
      expect(spend.spent(limited(undefined), ms)).toEqual(naive.spent(undefined, ms));
    }
  });

  test("a quarter that is not told apart any more is not counted twice", () => {
    const spend = new AccountSpend();
    const fromMs = START_MS - QUARTERS_KEPT_MS;
    spend.load({ fromMs, older: [{ accountId: id, costNanos: 100 }], recent: [] });
    spend.apply([{ accountId: id, quarterMs: fromMs - QUARTER_MS, costNanos: 60 }]);
    expect(spend.spent(limited(undefined), START_MS).totalNanos).toBe(100);
  });
});

describe("a quota is reached", () => {
  const nowMs = START_MS + 12 * HOUR_MS;

  test("never without limits, however much it cost", () => {
    const spend = spentAt([nowMs, 1e15]);
    expect(spend.isQuotaReached(limited(undefined), nowMs)).toBe(false);
    expect(spend.isQuotaReached(limited(quotaOf({})), nowMs)).toBe(false);
    expect(spend.windowState(limited(undefined), nowMs)).toBe("open");
    expect(spend.quotaResetMs(limited(undefined), nowMs)).toBeUndefined();
  });

  test("in all, for good", () => {
    const spend = spentAt([nowMs - 30 * DAY_MS, 60], [nowMs, 40]);
    const account = limited(quotaOf({ totalNanos: 100 }));
    expect(spend.isQuotaReached(account, nowMs)).toBe(true);
    expect(spend.isQuotaReached(limited(quotaOf({ totalNanos: 101 })), nowMs)).toBe(false);
    expect(spend.quotaResetMs(account, nowMs)).toBeUndefined();
  });

  test("per day and week of the clock until enough of it is past", () => {
    const spend = spentAt([nowMs - 20 * HOUR_MS, 50], [nowMs - 10 * HOUR_MS, 30], [nowMs, 40]);
    for (const [limit, lastMs] of [
      [120, nowMs - 20 * HOUR_MS],
      [71, nowMs - 20 * HOUR_MS],
      [70, nowMs - 10 * HOUR_MS],
      [40, nowMs],
    ] as const) {
      for (const [quota, lengthMs] of [
        [quotaOf({ dailyNanos: limit }), DAY_MS],
        [quotaOf({ weeklyNanos: limit }), 7 * DAY_MS],
      ] as const) {
        const resetMs = spend.quotaResetMs(limited(quota), nowMs) ?? Number.NaN;
        expect(resetMs).toBe(quarterOf(lastMs) + QUARTER_MS + lengthMs);
        expect(spend.isQuotaReached(limited(quota), resetMs - 1)).toBe(true);
        expect(spend.isQuotaReached(limited(quota), resetMs)).toBe(false);
      }
    }
  });

  test("until its fixed moment, by the longer of two", () => {
    const fixed = quotaOf({ reset: "fixed", dailyNanos: 10, weeklyNanos: 10 });
    const spend = spentAt([nowMs, 10]);
    // The next Monday at five in Berlin, in winter time.
    expect(spend.quotaResetMs(limited(fixed), nowMs)).toBe(Date.parse("2026-03-23T04:00:00Z"));
    const daily = limited({ ...fixed, weeklyNanos: undefined });
    const resetMs = spend.quotaResetMs(daily, nowMs) ?? Number.NaN;
    expect(resetMs).toBe(Date.parse("2026-03-21T04:00:00Z"));
    expect(spend.isQuotaReached(daily, resetMs - 1)).toBe(true);
    expect(spend.isQuotaReached(daily, resetMs)).toBe(false);
  });

  test("at once when the limit is changed, also within a quarter", () => {
    const spend = spentAt([nowMs, 10]);
    expect(spend.isQuotaReached(limited(quotaOf({ dailyNanos: 11 })), nowMs)).toBe(false);
    expect(spend.isQuotaReached(limited(quotaOf({ dailyNanos: 10 })), nowMs)).toBe(true);
  });

  test("by an account that may cost nothing, for as long as that is so", () => {
    const account = limited(quotaOf({ dailyNanos: 0 }));
    expect(new AccountSpend().isQuotaReached(account, nowMs)).toBe(true);
    expect(new AccountSpend().quotaResetMs(account, nowMs)).toBeUndefined();
  });
});

test("the five-hour window is open, then for bound conversations, then closed, and opens by itself", () => {
  const nowMs = START_MS + 7 * 60_000;
  const account = limited(undefined, [100, 20]);
  for (const [nanos, state] of [
    [99, "open"],
    [100, "sticky-only"],
    [119, "sticky-only"],
    [120, "closed"],
  ] as const) {
    const spend = spentAt([nowMs, nanos]);
    expect(spend.windowState(account, nowMs)).toBe(state);
    expect(spend.windowState(account, nowMs + 5 * HOUR_MS)).toBe(state);
    expect(spend.windowState(account, nowMs + 5 * HOUR_MS + QUARTER_MS)).toBe("open");
  }
});

test("accounts do not pay for each other", () => {
  const spend = spentAt([START_MS, 50]);
  const other = { id: 8 as AccountId, quota: quotaOf({ totalNanos: 1 }), windowCost: undefined };
  expect(spend.isQuotaReached(other, START_MS)).toBe(false);
});
