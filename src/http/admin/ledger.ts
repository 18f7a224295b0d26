import { Elysia } from "elysia";
import { LedgerShown } from "#http/schemas/ledger.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";

const MS_PER_SECOND = 1_000;

/** `GET /admin/ledger`: how far the books are behind what was answered. */
export function ledgerRoutes(options: AdminOptions) {
  const operation = adminOperations(options);
  return new Elysia({ name: "admin.ledger", prefix: "/admin" }).get(
    "/ledger",
    ...operation(
      {
        tag: "usage",
        summary: "Show how far the books are behind",
        description: "Over all threads, as of now. Works while the database is away.",
        success: {
          status: 200,
          description: "As of now",
          schema: LedgerShown,
          example: {
            records: 12,
            oldest_seconds: 0.2,
            journal_bytes: 65_536,
            journal_bytes_max: 1_073_741_824,
            accepts_requests: true,
          },
        },
      },
      async () => {
        const { records, bytes, oldestMs, canAccept } = await options.backlog();
        return respondJson(200, {
          records,
          oldest_seconds: oldestMs / MS_PER_SECOND,
          journal_bytes: bytes,
          journal_bytes_max: options.journalBytesMax,
          accepts_requests: canAccept,
        });
      },
    ),
  );
}
