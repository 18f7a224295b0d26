import type { Static } from "elysia";
import type { UnschedulableRule } from "#domain/account-limits.ts";
import type { AccountChange, AccountShown } from "#http/schemas/account.ts";
import { accountLimitsOf } from "#snapshot/rows.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import type { AdminOptions } from "./admin-options.ts";
import { decimalOf, given, momentOf, msOf, nanosOf, timestampsOf } from "./wire.ts";

type Body = Omit<Static<typeof AccountChange>, "credentials" | "group_ids">;

/** The columns that a request names. A status that an operator sets has no reason of the gateway's any more. */
export function columnsOf(body: Body) {
  return given({
    name: body.name,
    status: body.status,
    statusReason: body.status === undefined ? undefined : null,
    schedulable: body.schedulable,
    baseUrl: body.base_url,
    concurrency: body.concurrency,
    priority: body.priority,
    proxyId: body.proxy_id,
    modelMapping: body.model_mapping,
    interceptWarmup: body.intercept_warmup,
    ...limitColumnsOf(body),
    userMessageQueue: body.user_message_queue,
    unschedulableRules: body.unschedulable_rules?.map(ruleOf),
    handledStatuses: body.handled_statuses,
    isPool: body.is_pool,
    expiresAtMs: msOf(body.expires_at),
    pausesWhenExpired: body.auto_pause_on_expired,
  });
}

function limitColumnsOf(body: Body) {
  return {
    loadFactor: body.load_factor,
    baseRpm: body.base_rpm,
    rpmStrategy: body.rpm_strategy,
    rpmStickyBuffer: body.rpm_sticky_buffer,
    maxSessions: body.max_sessions,
    sessionIdleMinutes: body.session_idle_minutes,
    costMultiplierNanos: nanosOf(body.rate_multiplier),
    quotaNanos: nanosOf(body.quota_usd),
    quotaDailyNanos: nanosOf(body.quota_daily_usd),
    quotaWeeklyNanos: nanosOf(body.quota_weekly_usd),
    quotaReset: body.quota_reset,
    quotaResetHour: body.quota_reset_hour,
    quotaResetWeekday: body.quota_reset_weekday,
    quotaResetTimezone: body.quota_reset_timezone,
    windowCostLimitNanos: nanosOf(body.window_cost_limit_usd),
    windowCostStickyReserveNanos: nanosOf(body.window_cost_sticky_reserve_usd),
  };
}

function ruleOf({ keywords, scope = "account", ...rule }: RuleBody): UnschedulableRule {
  return { ...rule, keywords: keywords.map((word) => word.toLowerCase()), scope };
}

type RuleBody = NonNullable<Body["unschedulable_rules"]>[number];

/** An account as it is shown, with what it has cost as far as that is booked. */
export function showAccount(
  row: AccountRow,
  { spend, clock }: Pick<AdminOptions, "spend" | "clock">,
): Static<typeof AccountShown> {
  return {
    id: row.id,
    name: row.name,
    platform: row.platform,
    type: row.type,
    credentials: { type: row.type, set: true },
    status: row.status,
    status_reason: row.statusReason,
    cooling_until: momentOf(row.coolingUntilMs),
    cooling_reason: row.coolingReason,
    schedulable: row.schedulable,
    base_url: row.baseUrl,
    group_ids: [...row.groupIds],
    concurrency: row.concurrency,
    priority: row.priority,
    proxy_id: row.proxyId,
    model_mapping: row.modelMapping,
    intercept_warmup: row.interceptWarmup,
    ...showLimits(row),
    ...showSpent(row, spend, clock.now()),
    user_message_queue: row.userMessageQueue,
    unschedulable_rules: row.unschedulableRules.map((rule) => ({ ...rule, keywords: [...rule.keywords] })),
    handled_statuses: row.handledStatuses,
    is_pool: row.isPool,
    expires_at: momentOf(row.expiresAtMs),
    auto_pause_on_expired: row.pausesWhenExpired,
    ...timestampsOf(row),
  };
}

function showLimits(row: AccountRow) {
  return {
    load_factor: row.loadFactor,
    base_rpm: row.baseRpm,
    rpm_strategy: row.rpmStrategy,
    rpm_sticky_buffer: row.rpmStickyBuffer,
    max_sessions: row.maxSessions,
    session_idle_minutes: row.sessionIdleMinutes,
    rate_multiplier: decimalOf(row.costMultiplierNanos),
    quota_usd: decimalOf(row.quotaNanos),
    quota_daily_usd: decimalOf(row.quotaDailyNanos),
    quota_weekly_usd: decimalOf(row.quotaWeeklyNanos),
    quota_reset: row.quotaReset,
    quota_reset_hour: row.quotaResetHour,
    quota_reset_weekday: row.quotaResetWeekday,
    quota_reset_timezone: row.quotaResetTimezone,
    window_cost_limit_usd: decimalOf(row.windowCostLimitNanos),
    window_cost_sticky_reserve_usd: decimalOf(row.windowCostStickyReserveNanos),
  };
}

/** By the very amounts that decide whether the account is used. */
function showSpent(row: AccountRow, spend: AdminOptions["spend"], nowMs: number) {
  const limits = accountLimitsOf(row);
  const { totalNanos, dailyNanos, weeklyNanos, windowNanos } = spend.spent(limits, nowMs);
  return {
    quota_used_usd: usdOf(totalNanos),
    quota_daily_used_usd: usdOf(dailyNanos),
    quota_weekly_used_usd: usdOf(weeklyNanos),
    quota_reset_at: momentOf(spend.quotaResetMs(limits, nowMs) ?? null),
    window_cost_used_usd: usdOf(windowNanos),
  };
}

function usdOf(nanos: number): string {
  return decimalOf(BigInt(nanos));
}
