import { type SQL, sql } from "drizzle-orm";
import type { PgColumn } from "drizzle-orm/pg-core";
import { assert } from "#kernel/assert.ts";

/** Most rows one page may hold. */
export const PAGE_ROWS_MAX = 1000;

/** Which stretch of a list is wanted. Lists run from the newest row to the oldest. */
export interface PageRequest<Place = number> {
  /** 1 to {@link PAGE_ROWS_MAX} rows. */
  readonly limit: number;
  /** Only rows after this place, such as an id: the `next` of the page before. */
  readonly before?: Place | undefined;
}

/** One stretch of a list. */
export interface Page<Row, Place = number> {
  readonly rows: readonly Row[];
  /** Where the following page begins; absent on the last one. */
  readonly next?: Place;
}

/** How many rows to read for a page: one more than it holds, to learn whether another follows. */
export function rowsToRead({ limit }: Pick<PageRequest, "limit">): number {
  assert(Number.isInteger(limit) && limit >= 1 && limit <= PAGE_ROWS_MAX, "a page holds 1 to 1000 rows");
  return limit + 1;
}

/** The condition that leaves out what earlier pages held; undefined for the first one. */
export function olderThan(id: PgColumn, { before }: PageRequest): SQL | undefined {
  return before === undefined ? undefined : sql`${id} < ${before}`;
}

/** Makes the page out of the rows that {@link rowsToRead} asked for. */
export function pageOf<Row extends { readonly id: number }>(
  read: readonly Row[],
  page: PageRequest,
): Page<Row> {
  return placedPageOf(read, page, ({ id }) => id);
}

/** The same, of a list that is ordered by something else than the id: `placeOf` says where a row stands in it. */
export function placedPageOf<Row, Place>(
  read: readonly Row[],
  { limit }: PageRequest<Place>,
  placeOf: (row: Row) => Place,
): Page<Row, Place> {
  const rows = read.slice(0, limit);
  const last = rows.at(-1);
  return read.length > limit && last !== undefined ? { rows, next: placeOf(last) } : { rows };
}
