import { type Static, t } from "elysia";
import { fieldProblem, type Problem } from "#http/problem.ts";
import { integer } from "#http/schemas/fields.ts";
import { PAGE_ROWS_MAX, type Page, type PageRequest } from "#storage/page.ts";
import { respondJson } from "./operation.ts";
import { done, type Outcome, refused } from "./outcome.ts";

const LIMIT_DEFAULT = 50;
const CURSOR_LENGTH_MAX = 64;

/** The query parameters of every list. */
export const PAGE_QUERY = {
  limit: t.Optional(integer(1, PAGE_ROWS_MAX, `Rows per page; ${LIMIT_DEFAULT} when absent.`)),
  cursor: t.Optional(
    t.String({ maxLength: CURSOR_LENGTH_MAX, description: "`next_cursor` of the page before." }),
  ),
};

const PageQuery = t.Object(PAGE_QUERY);

/** How places in a list are written as cursors. A cursor means something to us only, and only as we made it. */
export interface CursorForm<Place> {
  write(place: Place): string;
  /** Undefined: it is no such text. What is read must be written as the same text again. */
  read(text: string): Place | undefined;
}

/** Cursors of lists that are ordered by their ids. */
const ID_CURSORS: CursorForm<number> = {
  write: String,
  read: (text) => {
    const id = Number(text);
    return Number.isSafeInteger(id) && id > 0 ? id : undefined;
  },
};

function pageRequestOf<Place>(
  { limit = LIMIT_DEFAULT, cursor }: Static<typeof PageQuery>,
  form: CursorForm<Place>,
): Outcome<PageRequest<Place>> {
  if (cursor === undefined) return done({ limit });
  const before = form.read(Buffer.from(cursor, "base64url").toString("latin1"));
  if (before !== undefined && cursorOf(before, form) === cursor) return done({ limit, before });
  return refused(fieldProblem("invalid-request", "/cursor", "is not a cursor of this list"));
}

/** Reads the page that is asked for and answers with it. */
export async function respondPage<Row>(
  query: Static<typeof PageQuery>,
  list: (page: PageRequest) => Promise<Page<Row>>,
  show: (row: Row) => object,
): Promise<Response | Problem> {
  return await respondPlacedPage(query, list, show, ID_CURSORS);
}

/** The same, of a list that is ordered by something else than ids. */
export async function respondPlacedPage<Row, Place>(
  query: Static<typeof PageQuery>,
  list: (page: PageRequest<Place>) => Promise<Page<Row, Place>>,
  show: (row: Row) => object,
  form: CursorForm<Place>,
): Promise<Response | Problem> {
  const request = pageRequestOf(query, form);
  if (!request.ok) return request.problem;
  const { rows, next } = await list(request.result);
  const cursor = next === undefined ? null : cursorOf(next, form);
  return respondJson(200, { data: rows.map(show), next_cursor: cursor });
}

function cursorOf<Place>(place: Place, form: CursorForm<Place>): string {
  return Buffer.from(form.write(place), "latin1").toString("base64url");
}
