/** When a daily or weekly quota starts anew: a window that moves with the clock, or a fixed moment. */
export const QUOTA_RESETS = ["rolling", "fixed"] as const;
export type QuotaReset = (typeof QUOTA_RESETS)[number];

/** What an account may cost; nano-dollars as numbers, exact up to nine million dollars. Undefined: no limit. */
export interface AccountQuota {
  readonly totalNanos: number | undefined;
  readonly dailyNanos: number | undefined;
  readonly weeklyNanos: number | undefined;
  readonly reset: QuotaReset;
  /** Hour of the day, 0 to 23, at which a fixed quota starts anew. */
  readonly resetHour: number;
  /** Day of the week, 0 is Sunday, on which a fixed weekly quota starts anew. */
  readonly resetWeekday: number;
  /** IANA name of the time zone of the two above. */
  readonly resetTimezone: string;
}

/** What an account may cost within its five-hour window, in nano-dollars. */
export interface WindowCostLimit {
  readonly limitNanos: number;
  /** Beyond the limit, bound conversations may go on up to this much more. */
  readonly stickyReserveNanos: number;
}

/** What happens at the limit of requests per minute: room for bound conversations up to a buffer, or without end. */
export const RPM_STRATEGIES = ["tiered", "sticky_exempt"] as const;
export type RpmStrategy = (typeof RPM_STRATEGIES)[number];

/** How many requests an account may get within a minute of the clock. */
export interface RpmLimit {
  readonly base: number;
  readonly strategy: RpmStrategy;
  /** Requests above `base` that bound conversations may send. */
  readonly stickyBuffer: number;
}

/** How many conversations an account may serve at once. */
export interface SessionLimit {
  readonly sessionsMax: number;
  /** A conversation counts for this long after its last request, in milliseconds. */
  readonly idleMs: number;
}

/** How an account treats requests of one person that come close together. */
export const QUEUE_MODES = ["off", "serialize", "throttle"] as const;
export type QueueMode = (typeof QUEUE_MODES)[number];

/** What a rule takes out of use: the account, or the account for the model that was asked for. */
export const RULE_SCOPES = ["account", "model"] as const;
type RuleScope = (typeof RULE_SCOPES)[number];

/** Takes an account out of use for a while when an error answer has this status and holds one of these words. */
export interface UnschedulableRule {
  readonly status: number;
  /** In lower case; compared with the answer's text in lower case. */
  readonly keywords: readonly string[];
  readonly minutes: number;
  readonly scope: RuleScope;
}
