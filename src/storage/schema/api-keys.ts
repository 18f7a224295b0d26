import { sql } from "drizzle-orm";
import { bigint, bigserial, boolean, index, pgTable, text } from "drizzle-orm/pg-core";
import type { ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { instant, nanos, revision, timestamps, windowStart, windowUsed } from "./columns.ts";
import { groups } from "./groups.ts";
import { users } from "./users.ts";

const cidrs = () => text().array().notNull().default(sql`'{}'`);

export const apiKeys = pgTable(
  "api_keys",
  {
    id: bigserial({ mode: "number" }).$type<ApiKeyId>().primaryKey(),
    userId: bigint({ mode: "number" })
      .$type<UserId>()
      .notNull()
      .references(() => users.id),
    groupId: bigint({ mode: "number" })
      .$type<GroupId>()
      .notNull()
      .references(() => groups.id),
    name: text().notNull(),
    /** HMAC of the key, as hex. The key itself is stored nowhere. */
    keyHash: text().notNull().unique("api_keys_key_hash_unique"),
    /** The key's last four characters, for people to recognise it by. */
    keyHint: text().notNull(),
    status: text().$type<"active" | "disabled">().notNull().default("active"),
    quotaNanos: nanos(),
    quotaUsedNanos: nanos().notNull().default(sql`0`),
    rateLimit5hNanos: bigint("rate_limit_5h_nanos", { mode: "bigint" }),
    rateLimit1dNanos: bigint("rate_limit_1d_nanos", { mode: "bigint" }),
    rateLimit7dNanos: bigint("rate_limit_7d_nanos", { mode: "bigint" }),
    window5hStartedAtMs: windowStart("5h"),
    window5hUsedNanos: windowUsed("5h"),
    window1dStartedAtMs: windowStart("1d"),
    window1dUsedNanos: windowUsed("1d"),
    window7dStartedAtMs: windowStart("7d"),
    window7dUsedNanos: windowUsed("7d"),
    revision: revision(),
    expiresAtMs: instant("expires_at"),
    ipAllow: cidrs(),
    ipDeny: cidrs(),
    /** Answers carry a short account of how they came about. */
    traceHeader: boolean().notNull().default(false),
    lastUsedAtMs: instant("last_used_at"),
    ...timestamps(),
  },
  (table) => [
    index("api_keys_user_id_index").on(table.userId),
    index("api_keys_group_id_index").on(table.groupId),
  ],
);
