import { type TSchema, t } from "elysia";
import { PROBLEMS } from "#http/problem.ts";

/** A problem as it is answered. */
export const ProblemModel = t.Object(
  {
    type: t.String({ description: "Which kind of problem; stable.", examples: ["/problems/conflict"] }),
    title: t.String(),
    status: t.Number(),
    detail: t.Optional(t.String()),
    instance: t.String({ description: "The path that was asked for." }),
    errors: t.Optional(
      t.Array(
        t.Object({
          path: t.String({ description: "A JSON pointer into the body, or `/` and a query parameter." }),
          message: t.String(),
        }),
      ),
    ),
  },
  { title: "Problem", description: "RFC 9457 problem details." },
);

const TITLES: ReadonlyMap<number, string> = new Map(
  Object.values(PROBLEMS).map(({ status, title }) => [status, title]),
);

/** An answer on success. */
export interface SuccessDetail {
  readonly status: 200 | 201 | 204;
  readonly description: string;
  /** Of the body; JSON when absent. */
  readonly mediaType?: string;
  /** Absent where there is no body. */
  readonly schema?: object;
  /** What a body may look like. */
  readonly example?: object;
}

/** What an admin operation takes and answers, as far as its description needs it. */
export interface AdminDetail {
  readonly tag: string;
  readonly summary: string;
  readonly description: string;
  /** Whether the path names one row. */
  readonly hasId?: boolean;
  /** Whether the path names one request. */
  readonly hasRequestId?: boolean;
  readonly query?: TSchema;
  readonly body?: TSchema;
  /** A body to try. */
  readonly example?: object;
  readonly success: SuccessDetail;
  /** Refusals besides those that follow from the rest. */
  readonly problems?: readonly number[];
}

/** The OpenAPI entry of an admin operation. Schemas with a title are referred to as components. */
export function adminDetail(detail: AdminDetail) {
  const { tag, summary, description, query, body, example, success } = detail;
  return {
    tags: [tag],
    summary,
    description,
    security: [{ adminToken: [] }],
    parameters: [...pathParameters(detail), ...queryParameters(query)],
    ...(body === undefined ? {} : { requestBody: requestBody(body, example) }),
    responses: {
      [success.status]: successResponse(success),
      ...Object.fromEntries(problemStatuses(detail).map((status) => [status, problemResponse(status)])),
    },
  };
}

/** A schema by its name where it has one, else as it is. */
function refOf(schema: object) {
  const title = "title" in schema ? schema.title : undefined;
  return title === undefined ? schema : { $ref: `#/components/schemas/${title}` };
}

/** One page of a list of what a schema describes. */
export function pageOf(item: TSchema) {
  return {
    type: "object",
    required: ["data", "next_cursor"],
    properties: {
      data: { type: "array", items: refOf(item), description: "Newest first." },
      next_cursor: { type: ["string", "null"], description: "For `cursor`; null on the last page." },
    },
  };
}

/** The whole of a short list of what a schema describes. */
export function listOf(item: TSchema, order: string) {
  return {
    type: "object",
    required: ["data"],
    properties: { data: { type: "array", items: refOf(item), description: order } },
  };
}

/** A response that says what went wrong, in the form of the admin API. */
function problemResponse(status: number) {
  return {
    description: TITLES.get(status) ?? "Problem",
    content: { "application/problem+json": { schema: refOf(ProblemModel) } },
  };
}

function pathParameters({ hasId, hasRequestId }: AdminDetail) {
  const parameter = (name: string, schema: object) => ({ name, in: "path", required: true, schema });
  return [
    ...(hasId === true ? [parameter("id", { type: "integer", minimum: 1 })] : []),
    ...(hasRequestId === true ? [parameter("request_id", { type: "string" })] : []),
  ];
}

function queryParameters(query: TSchema | undefined) {
  const properties: Readonly<Record<string, TSchema>> = query?.["properties"] ?? {};
  const required: readonly string[] = query?.["required"] ?? [];
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}

function requestBody(schema: TSchema, example: object | undefined) {
  return { required: true, content: bodyContent(schema, example) };
}

function bodyContent(schema: object, example: object | undefined, mediaType = "application/json") {
  return { [mediaType]: { schema: refOf(schema), ...(example === undefined ? {} : { example }) } };
}

function successResponse({ status, description, mediaType, schema, example }: SuccessDetail) {
  const location = { Location: { description: "Where the row is.", schema: { type: "string" as const } } };
  return {
    description,
    ...(status === 201 ? { headers: location } : {}),
    ...(schema === undefined ? {} : { content: bodyContent(schema, example, mediaType) }),
  };
}

function problemStatuses(detail: AdminDetail): readonly number[] {
  const { hasId, hasRequestId, query, body, problems = [] } = detail;
  const statuses = new Set([401, 500, 503, ...problems]);
  if (hasId === true || hasRequestId === true) statuses.add(404);
  if (query !== undefined) statuses.add(400);
  if (body !== undefined) for (const status of [400, 413, 415]) statuses.add(status);
  return [...statuses].sort((a, b) => a - b);
}
