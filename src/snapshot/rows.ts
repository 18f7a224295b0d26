import type { Account } from "#domain/account.ts";
import type { AccountQuota, RpmLimit } from "#domain/account-limits.ts";
import type { ApiKey } from "#domain/api-key.ts";
import type { ErrorRule } from "#domain/error-rule.ts";
import type { Group } from "#domain/group.ts";
import type { SpendWindow } from "#domain/spend-window.ts";
import type { Subscription } from "#domain/subscription.ts";
import type { User } from "#domain/user.ts";
import { Secret } from "#kernel/secret.ts";
import type { Vault } from "#kernel/vault.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import type { ApiKeyRow } from "#storage/repositories/api-keys.ts";
import type { ErrorRuleRow } from "#storage/repositories/error-rules.ts";
import type { GroupRow } from "#storage/repositories/groups.ts";
import type { SubscriptionRow } from "#storage/repositories/subscriptions.ts";
import type { UserRow } from "#storage/repositories/users.ts";
import type { Spending } from "./spend-book.ts";

const MS_PER_MINUTE = 60_000;

/** Where an account's credentials are sealed for. */
export function placeOfAccount(id: number): string {
  return `accounts:${id}`;
}

/** A stored user as requests see it. */
export function userOf({ id, status, balanceNanos, revision, concurrency }: UserRow): User {
  return { id, status, balanceNanos, revision, concurrency };
}

/** A stored group as requests see it. */
export function groupOf(row: GroupRow): Group {
  const { id, name, platform, status, rateMultiplierNanos, subscriptionType, claudeCodeOnly } = row;
  return {
    id,
    name,
    platform,
    status,
    rateMultiplierNanos,
    subscriptionType,
    windowLimits: {
      "1d": row.dailyLimitNanos ?? undefined,
      "7d": row.weeklyLimitNanos ?? undefined,
      "30d": row.monthlyLimitNanos ?? undefined,
    },
    claudeCodeOnly,
    fallbackGroupId: row.fallbackGroupId ?? undefined,
    fallbackGroupIdOnInvalidRequest: row.fallbackGroupIdOnInvalidRequest ?? undefined,
    modelRouting: row.modelRouting ?? undefined,
  };
}

/** A stored API key as requests see it. */
export function apiKeyOf(row: ApiKeyRow): ApiKey {
  const { id, userId, groupId, keyHash, status, expiresAtMs, ipAllow, ipDeny } = row;
  return {
    id,
    userId,
    groupId,
    hash: keyHash,
    status,
    expiresAtMs: expiresAtMs ?? undefined,
    quotaNanos: row.quotaNanos ?? undefined,
    windowLimits: {
      "5h": row.rateLimit5hNanos ?? undefined,
      "1d": row.rateLimit1dNanos ?? undefined,
      "7d": row.rateLimit7dNanos ?? undefined,
    },
    ipAllow,
    ipDeny,
    hasTraceHeader: row.traceHeader,
  };
}

/** What a stored API key has spent. */
export function keySpendingOf(row: ApiKeyRow): Spending {
  return {
    revision: row.revision,
    quotaUsedNanos: row.quotaUsedNanos,
    windows: {
      "5h": windowOf(row.window5hStartedAtMs, row.window5hUsedNanos),
      "1d": windowOf(row.window1dStartedAtMs, row.window1dUsedNanos),
      "7d": windowOf(row.window7dStartedAtMs, row.window7dUsedNanos),
    },
  };
}

/** A stored subscription as requests see it; undefined when it is cancelled. */
export function subscriptionOf(row: SubscriptionRow): Subscription | undefined {
  const { id, userId, groupId, status, startsAtMs, expiresAtMs } = row;
  return status === "cancelled" ? undefined : { id, userId, groupId, status, startsAtMs, expiresAtMs };
}

/** What a stored subscription has spent. */
export function subscriptionSpendingOf(row: SubscriptionRow): Spending {
  return {
    revision: row.revision,
    quotaUsedNanos: 0n,
    windows: {
      "1d": windowOf(row.window1dStartedAtMs, row.window1dUsedNanos),
      "7d": windowOf(row.window7dStartedAtMs, row.window7dUsedNanos),
      "30d": windowOf(row.window30dStartedAtMs, row.window30dUsedNanos),
    },
  };
}

/**
 * A stored account as requests see it, its credential opened.
 *
 * @throws Error when the credential was sealed with another key.
 */
export function accountOf(row: AccountRow, vault: Vault): Account {
  return {
    name: row.name,
    platform: row.platform,
    type: row.type,
    status: row.status,
    schedulable: row.schedulable,
    baseUrl: row.baseUrl ?? undefined,
    groupIds: row.groupIds,
    concurrency: row.concurrency,
    priority: row.priority,
    modelMapping: row.modelMapping ?? undefined,
    expiresAtMs: row.pausesWhenExpired ? (row.expiresAtMs ?? undefined) : undefined,
    ...accountLimitsOf(row),
    userMessageQueue: row.userMessageQueue ?? undefined,
    interceptsWarmup: row.interceptWarmup,
    unschedulableRules: row.unschedulableRules,
    handledStatuses: row.handledStatuses ?? undefined,
    isPool: row.isPool,
    credential: new Secret(readApiKey(vault.open(row.credentialsSealed, placeOfAccount(row.id)))),
  };
}

/** A stored rule as answers are matched against it; undefined while it is switched off. */
export function errorRuleOf(row: ErrorRuleRow): ErrorRule | undefined {
  if (!row.enabled) return undefined;
  const { id, priority, platforms, statuses, keywords, match, skipsMonitoring } = row;
  return {
    id,
    priority,
    platforms,
    statuses,
    keywords,
    match,
    responseStatus: row.responseStatus ?? undefined,
    message: row.message ?? undefined,
    skipsMonitoring,
  };
}

/** What bounds the use of an account, as requests see it. */
export type AccountLimits = Pick<
  Account,
  "id" | "loadFactor" | "rateMultiplierNanos" | "rpm" | "sessions" | "quota" | "windowCost"
>;

/** What bounds the use of a stored account, for which its credential need not be opened. */
export function accountLimitsOf(row: AccountRow): AccountLimits {
  const { id, concurrency, maxSessions } = row;
  return {
    id,
    loadFactor: row.loadFactor ?? Math.max(1, concurrency),
    rateMultiplierNanos: row.costMultiplierNanos,
    rpm: rpmOf(row),
    sessions:
      maxSessions === null
        ? undefined
        : { sessionsMax: maxSessions, idleMs: row.sessionIdleMinutes * MS_PER_MINUTE },
    quota: quotaOf(row),
    windowCost:
      row.windowCostLimitNanos === null
        ? undefined
        : {
            limitNanos: Number(row.windowCostLimitNanos),
            stickyReserveNanos: Number(row.windowCostStickyReserveNanos),
          },
  };
}

/** Bound conversations get room for what the account can have under way at once, at least a fifth of the limit. */
function rpmOf({ baseRpm, rpmStrategy, rpmStickyBuffer, ...row }: AccountRow): RpmLimit | undefined {
  if (baseRpm === null) return undefined;
  const suggested = Math.max(row.concurrency + (row.maxSessions ?? 0), Math.floor(baseRpm / 5), 1);
  return { base: baseRpm, strategy: rpmStrategy, stickyBuffer: rpmStickyBuffer ?? suggested };
}

function quotaOf(row: AccountRow): AccountQuota | undefined {
  const { quotaNanos, quotaDailyNanos, quotaWeeklyNanos } = row;
  if (quotaNanos === null && quotaDailyNanos === null && quotaWeeklyNanos === null) return undefined;
  return {
    totalNanos: numberOf(quotaNanos),
    dailyNanos: numberOf(quotaDailyNanos),
    weeklyNanos: numberOf(quotaWeeklyNanos),
    reset: row.quotaReset,
    resetHour: row.quotaResetHour,
    resetWeekday: row.quotaResetWeekday,
    resetTimezone: row.quotaResetTimezone,
  };
}

function windowOf(startedAtMs: number | null, usedNanos: bigint): SpendWindow | undefined {
  return startedAtMs === null ? undefined : { startedAtMs, usedNanos };
}

function numberOf(nanos: bigint | null): number | undefined {
  return nanos === null ? undefined : Number(nanos);
}

function readApiKey(credentials: string): string {
  const { api_key: apiKey } = JSON.parse(credentials) as { api_key?: unknown };
  return typeof apiKey === "string" ? apiKey : "";
}
