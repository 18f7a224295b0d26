import { t } from "elysia";
import { CLOSED, integer, number } from "./fields.ts";

const count = (description: string) => integer(0, Number.MAX_SAFE_INTEGER, description);

/** How far the books are behind. */
export const LedgerShown = t.Object(
  {
    records: count("Usage records that are in the journal and not booked yet."),
    oldest_seconds: number(0, Number.MAX_SAFE_INTEGER, "Age of the oldest of them; 0 when there is none."),
    journal_bytes: count("What the journal takes on the disk."),
    journal_bytes_max: count("From how many bytes on new requests are refused."),
    accepts_requests: t.Boolean({
      description: "False: the journal is full or cannot be written, and new requests are refused.",
    }),
  },
  { ...CLOSED, title: "Ledger" },
);
