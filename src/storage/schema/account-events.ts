import { bigint, bigserial, index, integer, pgTable, text } from "drizzle-orm/pg-core";
import type { AccountEventKind, CoolingReason } from "#domain/account-event.ts";
import type { AccountId } from "#domain/ids.ts";
import { instant } from "./columns.ts";

/** What has happened to the accounts' states. No foreign key: the record outlives the account. */
export const accountEvents = pgTable(
  "account_events",
  {
    id: bigserial({ mode: "number" }).primaryKey(),
    accountId: bigint({ mode: "number" }).$type<AccountId>().notNull(),
    kind: text().$type<AccountEventKind>().notNull(),
    reason: text().notNull(),
    cooling: text().$type<CoolingReason>(),
    model: text(),
    untilMs: instant("until"),
    status: integer(),
    requestId: text(),
    atMs: instant("at").notNull(),
  },
  (table) => [index("account_events_account_id_id_index").on(table.accountId, table.id)],
);
