import { Elysia } from "elysia";
import { UsageShown } from "#http/schemas/usage.ts";
import { PAGE_ROWS_MAX } from "#storage/page.ts";
import type { UsagePage, UsagePlace } from "#storage/repositories/usage.ts";
import type { AdminOptions } from "./admin-options.ts";
import { csvRow } from "./csv.ts";
import { adminOperations } from "./operation.ts";
import { filterOf, showUsage, UsageFilterQuery } from "./usage-wire.ts";

const COLUMNS = Object.keys(UsageShown.properties) as readonly (keyof typeof UsageShown.properties)[];

/** `GET /admin/usage/export`: all records that fit the filters, as a table. */
export function exportRoute(options: AdminOptions) {
  const operation = adminOperations(options);
  const { storage, flushLedger, log } = options;
  return new Elysia().get(
    "/export",
    ...operation(
      {
        tag: "usage",
        summary: "Export usage as CSV",
        description:
          "Every record that fits the filters, newest first, with the fields of the list as columns. Texts that a spreadsheet would take for a formula begin with an apostrophe. An export that cannot be finished breaks off without its end.",
        query: UsageFilterQuery,
        success: {
          status: 200,
          description: "A table with one line of names",
          mediaType: "text/csv",
          schema: { type: "string" },
        },
      },
      async ({ query }) => {
        await flushLedger().catch(() => undefined);
        const filter = filterOf(query);
        const list = (before?: UsagePlace) => storage.usage.list(filter, { limit: PAGE_ROWS_MAX, before });
        // Read before the answer begins, so that a database that is gone can still be told.
        const first = await list();
        const rows = usageTable(first, list, (thrown) =>
          log.error("admin.export_broke_off", { reason: String(thrown) }),
        );
        return new Response(rows, {
          headers: {
            "content-type": "text/csv; charset=utf-8; header=present",
            "content-disposition": 'attachment; filename="usage.csv"',
            "cache-control": "no-store",
          },
        });
      },
    ),
  );
}

/**
 * The table as bytes. One page of records is in memory at a time, and the next is read when the client has taken
 * it. Between pages nothing is held in the database, so an export may take as long as its client likes; records that
 * are booked meanwhile may be in it or not.
 */
function usageTable(
  first: UsagePage,
  list: (before: UsagePlace) => Promise<UsagePage>,
  onBroken: (thrown: unknown) => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next = first.next;
  let hasClientLeft = false;
  const readOn = async (before: UsagePlace): Promise<UsagePage> => {
    try {
      return await list(before);
    } catch (thrown) {
      if (!hasClientLeft) onBroken(thrown);
      throw thrown;
    }
  };
  let text = csvRow(COLUMNS) + tableOf(first);
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (text === "" && next !== undefined) {
          const page = await readOn(next);
          if (hasClientLeft) return;
          next = page.next;
          text = tableOf(page);
        }
        if (text !== "") controller.enqueue(encoder.encode(text));
        text = "";
        if (next === undefined) controller.close();
      },
      cancel: () => {
        hasClientLeft = true;
      },
    },
    { highWaterMark: 0 },
  );
}

function tableOf({ rows }: UsagePage): string {
  return rows
    .map(showUsage)
    .map((row) => csvRow(COLUMNS.map((name) => row[name])))
    .join("");
}
