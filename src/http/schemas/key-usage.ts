import { queryParameter } from "./gateway.ts";

const number = { type: "number" as const };
const count = { type: "integer" as const, minimum: 0 };
const moment = { type: "string" as const, format: "date-time" };
const usd = { ...number, description: "US dollars." };
const limitUsd = { type: ["number", "null"] as const, description: "US dollars; null: no limit." };

const TOTALS = {
  requests: count,
  input_tokens: count,
  output_tokens: count,
  cache_creation_tokens: count,
  cache_read_tokens: count,
  total_tokens: { ...count, description: "All four kinds." },
  cost: { ...number, description: "At list price, before rate multipliers, in US dollars." },
  actual_cost: { ...number, description: "As charged, in US dollars." },
};

const TotalsObject = { type: "object" as const, required: Object.keys(TOTALS), properties: TOTALS };

const RateLimit = {
  type: "object" as const,
  required: ["window", "limit", "used", "remaining", "window_start"],
  properties: {
    window: { type: "string" as const, enum: ["5h", "1d", "7d"] },
    limit: usd,
    used: { ...number, description: "0 while no window is running." },
    remaining: usd,
    window_start: { type: ["string", "null"] as const, format: "date-time" },
    reset_at: { ...moment, description: "Only while a window is running." },
  },
};

const Subscription = {
  type: "object" as const,
  description: "Only while a subscription is in force. A window that has ended counts 0.",
  properties: {
    daily_usage_usd: number,
    weekly_usage_usd: number,
    monthly_usage_usd: number,
    daily_limit_usd: limitUsd,
    weekly_limit_usd: limitUsd,
    monthly_limit_usd: limitUsd,
    expires_at: moment,
  },
};

const LIMITS = {
  mode: {
    type: "string" as const,
    enum: ["quota_limited", "unrestricted"],
    description: "`quota_limited` when the key has a quota or windows of its own.",
  },
  isValid: {
    type: "boolean" as const,
    description:
      "Whether a request would be let in now: false when the key is expired or a limit is used up.",
  },
  status: {
    type: "string" as const,
    enum: ["active", "quota_exhausted", "expired"],
    description: "Only when `quota_limited`.",
  },
  planName: { type: "string" as const, description: "Only when `unrestricted`." },
  unit: { type: "string" as const, enum: ["USD"] },
  remaining: {
    ...number,
    description:
      "Of the quota, the subscription or the balance, never below 0; -1: a subscription without limits.",
  },
  balance: { ...number, description: "Only when the user's balance pays. May be negative." },
  quota: {
    type: "object" as const,
    properties: { limit: usd, used: usd, remaining: usd, unit: { type: "string" as const, enum: ["USD"] } },
  },
  rate_limits: { type: "array" as const, items: RateLimit },
  expires_at: moment,
  days_until_expiry: { ...count, description: "Whole days." },
  subscription: Subscription,
};

const STATISTICS = {
  usage: {
    type: "object" as const,
    properties: {
      today: TotalsObject,
      total: TotalsObject,
      average_duration_ms: number,
      rpm: { ...count, description: "Requests per minute, over the last five." },
      tpm: { ...count, description: "Tokens per minute, over the last five." },
    },
  },
  model_stats: {
    type: "array" as const,
    description: "Most tokens first; left out when empty.",
    items: {
      type: "object" as const,
      required: ["model", ...TotalsObject.required],
      properties: { model: { type: "string" as const }, ...TOTALS },
    },
  },
};

const EXAMPLE_TOTALS = {
  requests: 12,
  input_tokens: 4_200,
  output_tokens: 1_800,
  cache_creation_tokens: 0,
  cache_read_tokens: 9_000,
  total_tokens: 15_000,
  cost: 0.0423,
  actual_cost: 0.0423,
};

const EXAMPLE = {
  mode: "quota_limited",
  isValid: true,
  status: "active",
  quota: { limit: 10, used: 2.5, remaining: 7.5, unit: "USD" },
  remaining: 7.5,
  unit: "USD",
  rate_limits: [
    {
      window: "5h",
      limit: 1,
      used: 0.25,
      remaining: 0.75,
      window_start: "2026-01-02T03:04:05.678Z",
      reset_at: "2026-01-02T08:04:05.678Z",
    },
  ],
  expires_at: "2026-02-01T00:00:00.000Z",
  days_until_expiry: 29,
  usage: { today: EXAMPLE_TOTALS, total: EXAMPLE_TOTALS, average_duration_ms: 912.5, rpm: 2, tpm: 3_000 },
  model_stats: [{ model: "claude-sonnet-4-6", ...EXAMPLE_TOTALS }],
};

/** What a key has used and may still spend. */
export const keyUsageAnswer = {
  "application/json": {
    schema: {
      type: "object" as const,
      required: ["mode", "isValid"],
      properties: { ...LIMITS, ...STATISTICS },
    },
    example: EXAMPLE,
  },
};

const date = { type: "string", format: "date" };

/** Which days the statistics are wanted for. */
export const keyUsageParameters = [
  queryParameter("start_date", {
    ...date,
    description:
      "First day of `model_stats`; else 30 days back from now, or from `end_date` where that is earlier.",
  }),
  queryParameter("end_date", { ...date, description: "Last day of `model_stats`; else up to now." }),
  queryParameter("timezone", {
    type: "string",
    default: "UTC",
    description: "IANA name of the time zone that days are counted in.",
    example: "Europe/Berlin",
  }),
];
