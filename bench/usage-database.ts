import { openPostgres } from "#storage/engines/postgres.ts";
import { migrate } from "#storage/migrate.ts";
import { sliced } from "#storage/repositories/usage-slices.ts";

/** The months that the rows are spread over, ending with the present one. */
const MONTHS = 6;
/** Users; one in two rows is of the first ten. Each has three keys. */
const USERS = 100;
const STATEMENT_MS_MAX = 1_800_000;

type Print = (line: string) => void;

/** A database full of usage. */
export interface UsageDatabase {
  readonly url: string;
  /** When the first row arrived, in milliseconds since the Unix epoch. */
  readonly fromMs: number;
  /** When the one after the last would have arrived. */
  readonly toMs: number;
}

/** Makes an empty migrated database on the server of `BENCH_DATABASE_URL`; undefined without a server. */
export async function freshDatabase(name: string): Promise<string | undefined> {
  const url = databaseUrl(name);
  if (url === undefined) return undefined;
  await onServer(`drop database if exists ${name} with (force)`);
  await onServer(`create database ${name}`);
  await migrate(url);
  return url;
}

/** Drops a database that {@link freshDatabase} made. */
export async function dropDatabase(name: string): Promise<void> {
  await onServer(`drop database if exists ${name} with (force)`);
}

/**
 * A database with so many rows of usage over the last months, and their sums by day. One that was made before is
 * used again. Undefined without a server.
 */
export async function usageDatabase(
  name: string,
  rows: number,
  print: Print,
): Promise<UsageDatabase | undefined> {
  const url = databaseUrl(name);
  if (url === undefined) return undefined;
  if ((await rowsKept(url)) !== rows) {
    print(`making ${rows} rows; this takes minutes, once`);
    await freshDatabase(name);
    await fill(url, rows);
  } else await migrate(url);
  const [times] = await query<{ from_ms: number; to_ms: number }>(
    url,
    `select extract(epoch from min(created_at)) * 1000 as from_ms, extract(epoch from max(created_at)) * 1000 as to_ms from usage`,
  );
  return { url, fromMs: Number(times?.from_ms), toMs: Number(times?.to_ms) };
}

/** Runs one statement on a connection of its own. */
export async function query<Row extends Record<string, unknown>>(url: string, statement: string) {
  const { db, close } = openPostgres(url, { connectionsMax: 1, statementMsMax: STATEMENT_MS_MAX });
  try {
    return await db.execute<Row>(statement);
  } finally {
    await close();
  }
}

function databaseUrl(name: string): string | undefined {
  const server = process.env["BENCH_DATABASE_URL"];
  if (server === undefined) return undefined;
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

async function onServer(statement: string): Promise<void> {
  const server = new URL(process.env["BENCH_DATABASE_URL"] ?? "");
  server.pathname = "/postgres";
  await query(server.href, statement);
}

/** How many rows the database was filled with; 0 when it is not there, or was not filled to the end. */
async function rowsKept(url: string): Promise<number> {
  try {
    const [row] = await query<{ value: number }>(url, "select value from settings where key = 'bench_rows'");
    return row?.value ?? 0;
  } catch {
    return 0;
  }
}

/** Month by month, so that no transaction is longer than it has to be. */
async function fill(url: string, rows: number): Promise<void> {
  const { db, close } = openPostgres(url, { connectionsMax: 1, statementMsMax: STATEMENT_MS_MAX });
  await db.execute("set synchronous_commit to off");
  const share = Math.ceil(rows / MONTHS);
  for (let month = 0; month < MONTHS; month++) {
    const began = `date_trunc('month', now(), 'UTC') - interval '${MONTHS - 1 - month} months'`;
    await db.execute(`select make_usage_month(${began})`);
    const first = month * share;
    await db.execute(rowsOf(first, Math.min(rows, first + share) - 1, began));
    const filed = `usage where created_at >= ${began} and created_at < ${began} + interval '1 month'`;
    await db.execute(`insert into usage_requests select request_id, created_at from ${filed}`);
    await db.execute(sliced(filed));
  }
  await db.execute("vacuum analyze");
  await db.execute(`insert into settings (key, value) values ('bench_rows', '${rows}')`);
  await close();
}

/** Rows of one month: few users, keys and models make most of them, as they do. */
function rowsOf(first: number, last: number, began: string): string {
  const step = `interval '28 days' * ((at - ${first})::float8 / ${last - first + 1})`;
  return `
    insert into usage (
      request_id, user_id, api_key_id, group_id, account_id, model, upstream_model, upstream_request_id,
      input_tokens, output_tokens, cache_creation_tokens, cache_creation_5m_tokens, cache_creation_1h_tokens,
      cache_read_tokens, cost_nanos, list_cost_nanos, account_cost_nanos, subscription_id, status, http_status, stream,
      usage_complete, duration_ms, first_token_ms, attempts, created_at
    )
    select
      'req_' || lpad(to_hex(at), 32, '0'), who, who * 3 + (at % 3), 1 + who % 5,
      case when at % 97 = 0 then null else 1 + (who * 7 + at / 1000 + (random() * 4)::integer) % 20 end,
      'model-' || which, 'model-' || which, case when at % 97 = 0 then null else 'msg_' || lpad(to_hex(at), 24, '0') end,
      1 + (at * 7) % 5000, 1 + (at * 13) % 2000, (at * 3) % 4000, (at * 3) % 4000, 0, (at * 11) % 60000,
      cost, cost, null, case when who % 3 = 0 then who end,
      case when at % 97 = 0 then 'failed' when at % 211 = 0 then 'client_gone'
        when at % 5003 = 0 then 'upstream_stalled' else 'completed' end,
      200, at % 2 = 0, true, 500 + (at * 17) % 9000, 300, 1,
      date_trunc('milliseconds', ${began} + ${step})
    from (
      select
        at, 1 + floor(${USERS} * random() ^ 3)::integer as who, floor(10 * random() ^ 2)::integer as which,
        (1000000 + (at * 7919) % 90000000)::bigint as cost
      from generate_series(${first}::bigint, ${last}::bigint) as at
    ) made`;
}
