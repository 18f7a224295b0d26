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

/** Reads which page is asked for. A cursor means something to us only, and only as we made it. */
function pageRequestOf({ limit = LIMIT_DEFAULT, cursor }: Static<typeof PageQuery>): Outcome<PageRequest> {
  if (cursor === undefined) return done({ limit });
  const before = Number(Buffer.from(cursor, "base64url").toString("latin1"));
  if (Number.isSafeInteger(before) && before > 0 && cursorOf(before) === cursor)
    return done({ limit, before });
  return refused(fieldProblem("invalid-request", "/cursor", "is not a cursor of this list"));
}

/** Reads the page that is asked for and answers with it. */
export async function respondPage<Row>(
  query: Static<typeof PageQuery>,
  list: (page: PageRequest) => Promise<Page<Row>>,
  show: (row: Row) => object,
): Promise<Response | Problem> {
  const request = pageRequestOf(query);
  if (!request.ok) return request.problem;
  const { rows, next } = await list(request.result);
  return respondJson(200, { data: rows.map(show), next_cursor: next === undefined ? null : cursorOf(next) });
}

function cursorOf(id: number): string {
  return Buffer.from(String(id), "latin1").toString("base64url");
}
