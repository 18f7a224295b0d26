import { Elysia, type Static, type TSchema, t } from "elysia";
import { pageOf } from "#http/schemas/admin-detail.ts";
import { CLOSED } from "#http/schemas/fields.ts";
import type { Page, PageRequest } from "#storage/page.ts";
import type { Written } from "#storage/written.ts";
import type { ChangeNotice } from "#threads/messages.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { PAGE_QUERY, respondPage } from "./page-request.ts";

/** What sets one kind of row apart from the others. */
export interface Resource<
  Row extends Shown,
  Create extends TSchema,
  Change extends TSchema,
  Query extends typeof ListQuery = typeof ListQuery,
> {
  readonly kind: ChangeNotice["kind"];
  /** What one of them is called in words. */
  readonly noun: string;
  readonly path: string;
  readonly tag: string;
  readonly schemas: {
    readonly shown: TSchema;
    /** As the answer to a create shows it, where that differs. */
    readonly created?: TSchema;
    readonly create: Create;
    readonly change: Change;
    /** Of the list, where it takes more than a page. */
    readonly query?: Query;
  };
  /** A body to create one with. */
  readonly example: Static<Create> & object;
  /** What a reader of the documentation should know besides the fields. */
  readonly notes: { readonly create: string; readonly change: string; readonly remove: string };
  /** A row as it is shown. */
  show(row: Row): object;
  list(page: PageRequest, query: Static<Query>): Promise<Page<Row>>;
  get(id: number): Promise<Row | undefined>;
  /** Gives what the answer shows. */
  create(body: Static<Create>): Promise<Outcome<Shown>>;
  change(id: number, body: Static<Change>): Promise<Outcome<Row>>;
  remove(id: number): Promise<Written<Row>>;
}

interface Shown {
  readonly id: number;
}

const ListQuery = t.Object(PAGE_QUERY, CLOSED);

/** The five operations that every resource has: create, list, show, change and delete. */
export function resourceRoutes<
  Row extends Shown,
  Create extends TSchema,
  Change extends TSchema,
  Query extends typeof ListQuery = typeof ListQuery,
>(options: AdminOptions, resource: Resource<Row, Create, Change, Query>) {
  return new Elysia({ prefix: resource.path })
    .use(readingRoutes(options, resource))
    .use(writingRoutes(options, resource));
}

/**
 * Tells every thread of a change, so that it holds for requests before its answer arrives. The change is
 * stored already: an announcement that fails is logged, and the snapshots' own refresh brings it in later.
 */
export async function announce({ announceChange, log }: AdminOptions, change: ChangeNotice): Promise<void> {
  try {
    await announceChange(change);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    log.error("admin.announcement_failed", { kind: change.kind, id: change.id, reason });
  }
}

function readingRoutes<
  Row extends Shown,
  Create extends TSchema,
  Change extends TSchema,
  Query extends typeof ListQuery,
>(options: AdminOptions, resource: Resource<Row, Create, Change, Query>) {
  const operation = adminOperations(options);
  const { noun, tag, schemas, show } = resource;
  const listQuery = (schemas.query ?? ListQuery) as Query;
  return new Elysia()
    .get(
      "",
      ...operation(
        {
          tag,
          summary: `List ${tag}`,
          description: "One page, newest first.",
          query: listQuery,
          success: { status: 200, description: "A page", schema: pageOf(schemas.shown) },
        },
        ({ query }) => respondPage(query, (page) => resource.list(page, query), show),
      ),
    )
    .get(
      "/:id",
      ...operation(
        {
          tag,
          summary: `Show one ${noun}`,
          description: "As it is stored now.",
          hasId: true,
          success: { status: 200, description: `The ${noun}`, schema: schemas.shown },
        },
        async ({ id }) => {
          const row = await resource.get(id);
          return row === undefined ? { kind: "not-found" } : respondJson(200, show(row));
        },
      ),
    );
}

function writingRoutes<
  Row extends Shown,
  Create extends TSchema,
  Change extends TSchema,
  Query extends typeof ListQuery,
>(options: AdminOptions, resource: Resource<Row, Create, Change, Query>) {
  const operation = adminOperations(options);
  const { kind, noun, path, tag, schemas, notes, show } = resource;
  return new Elysia()
    .post(
      "",
      ...operation(
        {
          tag,
          summary: `Create one ${noun}`,
          description: notes.create,
          body: schemas.create,
          example: resource.example,
          success: { status: 201, description: "Created", schema: schemas.created ?? schemas.shown },
          problems: [409, 422],
        },
        async ({ body }) => {
          const created = await resource.create(body);
          if (!created.ok) return created.problem;
          await announce(options, { kind, id: created.result.id });
          return respondJson(201, created.result, { location: `${path}/${created.result.id}` });
        },
      ),
    )
    .patch(
      "/:id",
      ...operation(
        {
          tag,
          summary: `Change one ${noun}`,
          description: `Fields that are absent stay as they are; null clears. ${notes.change}`,
          hasId: true,
          body: schemas.change,
          success: { status: 200, description: `The ${noun} as it is now`, schema: schemas.shown },
          problems: [409, 422],
        },
        async ({ id, body }) => {
          const changed = await resource.change(id, body);
          if (!changed.ok) return changed.problem;
          await announce(options, { kind, id });
          return respondJson(200, show(changed.result));
        },
      ),
    )
    .delete(
      "/:id",
      ...operation(
        {
          tag,
          summary: `Delete one ${noun}`,
          description: notes.remove,
          hasId: true,
          success: { status: 204, description: "Deleted" },
          problems: [409],
        },
        async ({ id }) => {
          const removed = outcomeOf(await resource.remove(id), noun);
          if (!removed.ok) return removed.problem;
          await announce(options, { kind, id });
          return new Response(null, { status: 204 });
        },
      ),
    );
}
