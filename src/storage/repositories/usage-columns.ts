import { type SQL, sql } from "drizzle-orm";

/** Columns of a record, with their types, named as in `src/domain/usage-line.ts`. */
const COLUMNS = {
  request_id: "text",
  user_id: "bigint",
  api_key_id: "bigint",
  group_id: "bigint",
  account_id: "bigint",
  model: "text",
  upstream_model: "text",
  upstream_request_id: "text",
  input_tokens: "bigint",
  output_tokens: "bigint",
  cache_creation_tokens: "bigint",
  cache_creation_5m_tokens: "bigint",
  cache_creation_1h_tokens: "bigint",
  cache_read_tokens: "bigint",
  cost_nanos: "bigint",
  list_cost_nanos: "bigint",
  account_cost_nanos: "bigint",
  subscription_id: "bigint",
  status: "text",
  http_status: "integer",
  stream: "boolean",
  usage_complete: "boolean",
  duration_ms: "integer",
  first_token_ms: "integer",
  attempts: "integer",
} as const;

/** What is told of an attempt, with its types, named as in `src/domain/attempt-record.ts`. */
const ATTEMPT_COLUMNS = {
  number: "integer",
  account_id: "bigint",
  duration_ms: "integer",
  http_status: "integer",
  fault: "text",
  bytes: "bigint",
  input_tokens: "bigint",
  output_tokens: "bigint",
  billed: "text",
  reason: "text",
} as const;

/** The columns of the table that a line fills as they are: all but when the request arrived. */
export const USAGE_NAMES: SQL = sql.raw(Object.keys(COLUMNS).join(", "));

/** What is read from a line. */
export const LINE_COLUMNS: SQL = typed({
  ...COLUMNS,
  created_at_ms: "bigint",
  attempts_detail: "json",
});

/** The columns of an attempt that a line fills as they are: all but when it started. */
export const ATTEMPT_NAMES: SQL = sql.raw(Object.keys(ATTEMPT_COLUMNS).join(", "));

/** What is read of each attempt. */
export const ATTEMPT_LINE_COLUMNS: SQL = typed({ ...ATTEMPT_COLUMNS, started_at_ms: "bigint" });

/** The same columns of one of the tables that a statement names. */
export function usageNamesOf(table: string): SQL {
  return sql.raw(
    Object.keys(COLUMNS)
      .map((name) => `${table}.${name}`)
      .join(", "),
  );
}

function typed(columns: Readonly<Record<string, string>>): SQL {
  return sql.raw(
    Object.entries(columns)
      .map(([name, type]) => `${name} ${type}`)
      .join(", "),
  );
}
