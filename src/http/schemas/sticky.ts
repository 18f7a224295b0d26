import { t } from "elysia";
import { CLOSED, id, integer } from "./fields.ts";

/** Which bindings to drop. */
export const StickyQuery = t.Object(
  {
    group_id: t.Optional(id("Only those within this group.")),
    account_id: t.Optional(id("Only those to this account.")),
  },
  CLOSED,
);

/** What dropping bindings came to. */
export const StickyFlushed = t.Object(
  { flushed: integer(0, Number.MAX_SAFE_INTEGER, "Bindings that were dropped.") },
  { ...CLOSED, title: "StickyFlushed" },
);
