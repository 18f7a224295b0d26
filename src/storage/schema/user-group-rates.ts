import { bigint, index, pgTable, primaryKey } from "drizzle-orm/pg-core";
import type { GroupId, UserId } from "#domain/ids.ts";
import { nanos } from "./columns.ts";
import { groups } from "./groups.ts";
import { users } from "./users.ts";

/** What costs are multiplied with for one user in one group, instead of the group's own multiplier. */
export const userGroupRates = pgTable(
  "user_group_rates",
  {
    userId: bigint({ mode: "number" })
      .$type<UserId>()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    groupId: bigint({ mode: "number" })
      .$type<GroupId>()
      .notNull()
      .references(() => groups.id, { onDelete: "cascade" }),
    /** Parts per billion: 1_000_000_000 is 1.0. */
    rateMultiplierNanos: nanos().notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.groupId] }),
    index("user_group_rates_group_id_index").on(table.groupId),
  ],
);
