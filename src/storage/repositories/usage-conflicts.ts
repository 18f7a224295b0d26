import { sql } from "drizzle-orm";
import type { Database } from "#storage/engines/postgres.ts";
import { usage } from "#storage/schema/usage.ts";
import { usageConflicts } from "#storage/schema/usage-conflicts.ts";
import { usageRequests } from "#storage/schema/usage-requests.ts";
import { LINE_COLUMNS, usageNamesOf } from "./usage-columns.ts";

/** A record whose request id was on file with other contents. */
export type UsageConflictRow = Readonly<typeof usageConflicts.$inferSelect>;

/**
 * Keeps aside those of the given records that differ from what is on file for their requests, each once however
 * often it is offered. To be asked after the records were booked, so that all of them have a request on file. Those
 * whose month was dropped cannot be told any more.
 *
 * @returns how many were not kept before.
 */
export async function keepConflicts(
  db: Pick<Database, "execute">,
  lines: readonly string[],
): Promise<number> {
  const kept = await db.execute(sql`
    insert into ${usageConflicts} (request_id, line, digest)
    select given.request_id, entry, encode(sha256(convert_to(entry::text, 'UTF8')), 'hex')
    from json_array_elements((${`[${lines.join(",")}]`}::text)::json) as line (entry)
    cross join lateral json_to_record(entry) as given (${LINE_COLUMNS})
    join ${usageRequests} as claimed on claimed.request_id = given.request_id
    join ${usage} as filed on filed.request_id = claimed.request_id and filed.created_at = claimed.created_at
    where (${usageNamesOf("filed")}, filed.created_at)
      is distinct from (${usageNamesOf("given")}, to_timestamp(given.created_at_ms / 1000.0))
    order by 1, 3
    on conflict (request_id, digest) do nothing
    returning id`);
  return kept.length;
}
