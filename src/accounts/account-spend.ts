import type { Account } from "#domain/account.ts";
import type { AccountQuota } from "#domain/account-limits.ts";
import type { AccountId } from "#domain/ids.ts";
import { QUARTER_MS, type QuarterSpend } from "#domain/quarter-spend.ts";
import { lastResetMs, nextResetMs, type QuotaPeriod } from "#domain/quota-window.ts";
import type { StoredSpend } from "#storage/repositories/account-spend.ts";
import { SpendHistory } from "./spend-history.ts";

/** Lengths of the windows that move with the clock, in milliseconds. */
const PERIOD_MS: Readonly<Record<QuotaPeriod, number>> = { daily: 86_400_000, weekly: 7 * 86_400_000 };
const COST_WINDOW_MS = 5 * 3_600_000;

/** What an account has cost, in nano-dollars: ever, within its quota's day and week, and within five hours. */
export interface SpentAmounts {
  readonly totalNanos: number;
  readonly dailyNanos: number;
  readonly weeklyNanos: number;
  readonly windowNanos: number;
}

/** Whether an account may be used as far as its five-hour window goes: by all, by bound conversations, by none. */
export type WindowState = "open" | "sticky-only" | "closed";

type Limits = Pick<Account, "id" | "quota" | "windowCost">;

/** One account's costs, and how its windows lie in the quarter of an hour that begins at `fromMs`. */
interface Entry {
  readonly history: SpendHistory;
  totalNanos: number;
  /** What the windows were laid out for. */
  quota: AccountQuota | undefined;
  fromMs: number;
  untilMs: number;
  /** Where each window begins, and what the account had cost by then. */
  dayMs: number;
  dayNanos: number;
  weekMs: number;
  weekNanos: number;
  windowMs: number;
  windowNanos: number;
}

/**
 * What accounts have cost, as this thread knows it: booked costs only, which the ledger announces within a
 * fraction of a second. A window that moves with the clock begins with the whole quarter of an hour in which
 * its length ago lies, so it covers its length and at most fifteen minutes more, and never lets through more
 * than the limit within its length. Windows are laid out anew once per quarter; every other question is a
 * subtraction.
 */
export class AccountSpend {
  readonly #entries = new Map<AccountId, Entry>();

  /** Takes over what was stored when this thread started; called once, before `apply`. */
  load({ fromMs, older, recent }: StoredSpend): void {
    for (const { accountId, costNanos } of older) {
      this.#entries.set(accountId, newEntry(new SpendHistory(costNanos, fromMs)));
    }
    this.apply(recent);
  }

  /** Takes over what quarters have cost altogether. Old news, or the same twice, changes nothing. */
  apply(spends: readonly QuarterSpend[]): void {
    for (const { accountId, quarterMs, costNanos } of spends) {
      const entry = this.#entryOf(accountId);
      const added = entry.history.record(quarterMs, costNanos);
      entry.totalNanos += added;
      if (quarterMs < entry.dayMs) entry.dayNanos += added;
      if (quarterMs < entry.weekMs) entry.weekNanos += added;
      if (quarterMs < entry.windowMs) entry.windowNanos += added;
    }
  }

  /** Whether an account has used up what it may cost in all, per day or per week. */
  isQuotaReached(account: Limits, nowMs: number): boolean {
    const { quota } = account;
    if (quota === undefined) return false;
    const { totalNanos, dayNanos, weekNanos } = this.#entryAt(account, nowMs);
    return (
      isReached(totalNanos, quota.totalNanos) ||
      isReached(totalNanos - dayNanos, quota.dailyNanos) ||
      isReached(totalNanos - weekNanos, quota.weeklyNanos)
    );
  }

  /**
   * Where an account stands in its five-hour window, which moves with the clock: below the limit it is open;
   * from there to the end of the reserve only for bound conversations; then closed.
   */
  windowState(account: Limits, nowMs: number): WindowState {
    const { windowCost } = account;
    if (windowCost === undefined) return "open";
    const { totalNanos, windowNanos } = this.#entryAt(account, nowMs);
    const spentNanos = totalNanos - windowNanos;
    if (spentNanos < windowCost.limitNanos) return "open";
    return spentNanos < windowCost.limitNanos + windowCost.stickyReserveNanos ? "sticky-only" : "closed";
  }

  /**
   * When the quota that an account has reached allows requests again, in milliseconds since the Unix epoch, the
   * latest when it is more than one. Undefined when none is reached, or when time alone does not help.
   */
  quotaResetMs(account: Limits, nowMs: number): number | undefined {
    const { quota } = account;
    if (quota === undefined) return undefined;
    const { history, totalNanos, dayNanos, weekNanos } = this.#entryAt(account, nowMs);
    const { dailyNanos, weeklyNanos } = quota;
    if (isReached(totalNanos, quota.totalNanos)) return undefined;
    const resets: (number | undefined)[] = [];
    if (isReached(totalNanos - dayNanos, dailyNanos)) {
      resets.push(resetMsOf(history, { quota, period: "daily", limitNanos: dailyNanos ?? 0, nowMs }));
    }
    if (isReached(totalNanos - weekNanos, weeklyNanos)) {
      resets.push(resetMsOf(history, { quota, period: "weekly", limitNanos: weeklyNanos ?? 0, nowMs }));
    }
    if (resets.length === 0) return undefined;
    const latestMs = Math.max(...resets.map((ms) => ms ?? Number.POSITIVE_INFINITY));
    return Number.isFinite(latestMs) ? latestMs : undefined;
  }

  /** What an account has cost; day and week as its quota lays them out, moving with the clock when it has none. */
  spent(account: Limits, nowMs: number): SpentAmounts {
    const { totalNanos, dayNanos, weekNanos, windowNanos } = this.#entryAt(account, nowMs);
    return {
      totalNanos,
      dailyNanos: totalNanos - dayNanos,
      weeklyNanos: totalNanos - weekNanos,
      windowNanos: totalNanos - windowNanos,
    };
  }

  #entryOf(id: AccountId): Entry {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const entry = newEntry(new SpendHistory(0, Number.NEGATIVE_INFINITY));
    this.#entries.set(id, entry);
    return entry;
  }

  /** An account's costs, its windows laid out as of now. A changed quota is another object. */
  #entryAt(account: Limits, nowMs: number): Entry {
    const entry = this.#entryOf(account.id);
    if (nowMs < entry.fromMs || nowMs >= entry.untilMs || entry.quota !== account.quota) {
      layOut(entry, account.quota, nowMs);
    }
    return entry;
  }
}

function newEntry(history: SpendHistory): Entry {
  const never = Number.NEGATIVE_INFINITY;
  return {
    history,
    totalNanos: history.totalNanos,
    quota: undefined,
    fromMs: never,
    untilMs: never,
    dayMs: never,
    dayNanos: 0,
    weekMs: never,
    weekNanos: 0,
    windowMs: never,
    windowNanos: 0,
  };
}

function layOut(entry: Entry, quota: AccountQuota | undefined, nowMs: number): void {
  const { history } = entry;
  entry.quota = quota;
  entry.fromMs = quarterOf(nowMs);
  entry.untilMs = entry.fromMs + QUARTER_MS;
  entry.dayMs = periodFromMs(quota, "daily", nowMs);
  entry.dayNanos = history.costBefore(entry.dayMs);
  entry.weekMs = periodFromMs(quota, "weekly", nowMs);
  entry.weekNanos = history.costBefore(entry.weekMs);
  entry.windowMs = entry.fromMs - COST_WINDOW_MS;
  entry.windowNanos = history.costBefore(entry.windowMs);
}

function quarterOf(ms: number): number {
  return Math.floor(ms / QUARTER_MS) * QUARTER_MS;
}

function periodFromMs(quota: AccountQuota | undefined, period: QuotaPeriod, nowMs: number): number {
  if (quota?.reset === "fixed") return lastResetMs(quota, period, nowMs);
  return quarterOf(nowMs) - PERIOD_MS[period];
}

function isReached(spentNanos: number, limitNanos: number | undefined): boolean {
  return limitNanos !== undefined && spentNanos >= limitNanos;
}

/** When a reached quota is reached no more; a window that moves with the clock has to leave costs behind for that. */
function resetMsOf(
  history: SpendHistory,
  limit: { quota: AccountQuota; period: QuotaPeriod; limitNanos: number; nowMs: number },
): number | undefined {
  const { quota, period, limitNanos, nowMs } = limit;
  if (limitNanos <= 0) return undefined;
  if (quota.reset === "fixed") return nextResetMs(quota, period, nowMs);
  const quarterMs = history.lastQuarterAt(limitNanos);
  return quarterMs === undefined ? undefined : quarterMs + QUARTER_MS + PERIOD_MS[period];
}
