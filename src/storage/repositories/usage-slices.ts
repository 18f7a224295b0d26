import { type SQL, sql } from "drizzle-orm";
import type { UsageStatus } from "#domain/usage-record.ts";
import { usageDaily } from "#storage/schema/usage-daily.ts";

/** What requests can be told apart by besides their day, in the order of the columns of `usage_daily`. */
const DIMENSIONS = ["user_id", "api_key_id", "group_id", "account_id", "model"] as const;
/** One of {@link DIMENSIONS}. */
export type Dimension = (typeof DIMENSIONS)[number];

/**
 * The slices in which every request is added up, by what they tell apart, the smallest first. The last three grow
 * with the number of keys times models or accounts, and are read by their indexes; the others are so small that
 * months of them are read at once.
 */
export const SLICES = {
  model: ["model"],
  group: ["group_id"],
  account: ["account_id"],
  user: ["user_id"],
  group_model: ["group_id", "model"],
  group_account: ["group_id", "account_id"],
  account_model: ["account_id", "model"],
  key: ["user_id", "api_key_id", "group_id"],
  key_model: ["user_id", "api_key_id", "group_id", "model"],
  key_account: ["user_id", "api_key_id", "group_id", "account_id"],
  full: DIMENSIONS,
} as const satisfies Record<string, readonly Dimension[]>;

/** The slices that are also added up by month, in rows of the month's first day: years of them are read at once. */
const MONTHLY = [
  "key",
  "key_model",
  "key_account",
  "full",
] as const satisfies readonly (keyof typeof SLICES)[];

/** The slice that has whole months of another one; undefined where there is none. */
export function monthlySlice(slice: keyof typeof SLICES): string | undefined {
  return MONTHLY.some((monthly) => monthly === slice) ? monthlyName(slice) : undefined;
}

function monthlyName(slice: string): string {
  return `${slice}_month`;
}

/** Of requests, those that ended in one of these went wrong through no fault of the client. */
const ERRORS: readonly UsageStatus[] = ["upstream_broke", "upstream_stalled", "failed"];

/** What is added up, by its column in `usage_daily`, as an aggregate over rows of `usage`. */
const SUMS = {
  requests: "count(*)",
  errors: `count(*) filter (where status in (${ERRORS.map((status) => `'${status}'`).join(", ")}))`,
  input_tokens: "sum(input_tokens)",
  output_tokens: "sum(output_tokens)",
  cache_creation_tokens: "sum(cache_creation_tokens)",
  cache_creation_5m_tokens: "sum(cache_creation_5m_tokens)",
  cache_creation_1h_tokens: "sum(cache_creation_1h_tokens)",
  cache_read_tokens: "sum(cache_read_tokens)",
  cost_nanos: "coalesce(sum(cost_nanos), 0)",
  list_cost_nanos: "coalesce(sum(coalesce(list_cost_nanos, cost_nanos)), 0)",
  account_cost_nanos: "coalesce(sum(coalesce(account_cost_nanos, cost_nanos)), 0)",
  duration_ms: "sum(duration_ms)",
} as const;

const SUM_NAMES = Object.keys(SUMS);

/** The aggregates over rows of `usage`, named as the columns of `usage_daily`. */
export const ROW_SUMS: SQL = sql.raw(
  Object.entries(SUMS)
    .map(([name, aggregate]) => `${aggregate} as ${name}`)
    .join(", "),
);

/** The same columns added up once more, over rows of `usage_daily` or of several such aggregates. */
export const DAILY_SUMS: SQL = sql.raw(
  SUM_NAMES.map((name) => `coalesce(sum(${name}), 0) as ${name}`).join(", "),
);

/** The columns that hold what is added up. */
export const SUM_COLUMNS: SQL = sql.raw(SUM_NAMES.join(", "));

/** What a number of requests used and cost. */
export interface UsageSums {
  readonly requests: number;
  readonly errors: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheCreationTokens: number;
  readonly cacheCreation5mTokens: number;
  readonly cacheCreation1hTokens: number;
  readonly cacheReadTokens: number;
  /** All four kinds: input, output, cache written and cache read. */
  readonly totalTokens: number;
  /** As charged, in nano-dollars; requests without a known price count as nothing. */
  readonly costNanos: bigint;
  /** At a multiplier of 1. */
  readonly listCostNanos: bigint;
  /** What the accounts cost the operator. */
  readonly accountCostNanos: bigint;
  /** The times from arrival to end added up, in milliseconds. */
  readonly durationMs: number;
}

/** The sums as a statement answers with them. */
export type SumsAnswer = Readonly<Record<keyof typeof SUMS, string | number>>;

/** Reads the sums of an answer. */
export function sumsOf(row: SumsAnswer): UsageSums {
  const [inputTokens, outputTokens] = [Number(row.input_tokens), Number(row.output_tokens)];
  const [cacheCreationTokens, cacheReadTokens] = [
    Number(row.cache_creation_tokens),
    Number(row.cache_read_tokens),
  ];
  return {
    requests: Number(row.requests),
    errors: Number(row.errors),
    inputTokens,
    outputTokens,
    cacheCreationTokens,
    cacheCreation5mTokens: Number(row.cache_creation_5m_tokens),
    cacheCreation1hTokens: Number(row.cache_creation_1h_tokens),
    cacheReadTokens,
    totalTokens: inputTokens + outputTokens + cacheCreationTokens + cacheReadTokens,
    costNanos: BigInt(row.cost_nanos),
    listCostNanos: BigInt(row.list_cost_nanos),
    accountCostNanos: BigInt(row.account_cost_nanos),
    durationMs: Number(row.duration_ms),
  };
}

const KEYS = ["slice", "day", ...DIMENSIONS].join(", ");
const KEPT = SUM_NAMES.map((name) => `${name} = kept.${name} + excluded.${name}`).join(", ");

/** What is grouped by: the columns of the grouping, and the slice that comes of them. */
const GROUPINGS: readonly { readonly slice: string; readonly columns: readonly string[] }[] = [
  ...Object.entries(SLICES).map(([slice, told]) => ({ slice, columns: ["day", ...told] })),
  ...MONTHLY.map((slice) => ({ slice: monthlyName(slice), columns: ["month", ...SLICES[slice]] })),
];

const GROUPED = ["day", ...DIMENSIONS];

/** Which slice a row of the grouping belongs to: PostgreSQL sets a bit for each column that it leaves out. */
const SLICE_OF = GROUPINGS.map(({ slice, columns }) => {
  const bits = GROUPED.map((column) => (columns.includes(column) ? "0" : "1")).join("");
  return `when b'${bits}'::integer then '${slice}'`;
}).join(" ");

const GROUPING_SETS = GROUPINGS.map(({ columns }) => `(${columns.join(", ")})`).join(", ");

/** Adds rows, in the words of a `from` clause, up in every slice, on top of what is there. */
export function sliced(rows: string): SQL {
  return sql`
    insert into ${usageDaily} as kept (${sql.raw(KEYS)}, ${SUM_COLUMNS})
    select
      case grouping(${sql.raw(GROUPED.join(", "))}) ${sql.raw(SLICE_OF)} end, coalesce(day, month),
      coalesce(user_id, 0), coalesce(api_key_id, 0), coalesce(group_id, 0), coalesce(account_id, 0), coalesce(model, ''),
      ${ROW_SUMS}
    from (
      select
        (created_at at time zone 'UTC')::date as day,
        date_trunc('month', created_at at time zone 'UTC')::date as month, user_id, api_key_id, group_id, coalesce(account_id, 0) as account_id,
        model, status, input_tokens, output_tokens, cache_creation_tokens, cache_creation_5m_tokens,
        cache_creation_1h_tokens, cache_read_tokens, cost_nanos, list_cost_nanos, account_cost_nanos, duration_ms
      from ${sql.raw(rows)}
    ) filed
    group by grouping sets (${sql.raw(GROUPING_SETS)})
    order by 1, 2, 3, 4, 5, 6, 7
    on conflict (${sql.raw(KEYS)}) do update set ${sql.raw(KEPT)}`;
}

/**
 * Adds the rows of `inserted` up, as a common table expression. It comes after `spent`, since all bookings lock what
 * they change in one order.
 */
export const ROLLED: SQL = sql`
  rolled as (${sliced("inserted where (select count(*) from spent) >= 0")})`;
