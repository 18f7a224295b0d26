import type { Purse, PurseBooks } from "#coordination/holds.ts";
import type { Argument } from "./link.ts";

/** How Redis calls the kinds of purses. */
const KIND = { user: "u", key: "k", subscription: "s" } as const;

/** How Redis calls a purse. */
export function purseName({ kind, id }: Purse): string {
  return `${KIND[kind]}${id}`;
}

/** What Redis is told of a purse's books: what is available, or `inf`, and the revision. */
export function wordsOf({ availableNanos, revision }: PurseBooks): readonly [Argument, Argument] {
  return [Number.isFinite(availableNanos) ? availableNanos : "inf", revision];
}
