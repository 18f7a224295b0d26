import type { Static, TSchema } from "elysia";
import { queryOf } from "#http/gateway-endpoint.ts";
import { readBody } from "#http/inbound.ts";
import { type Problem, respondProblem } from "#http/problem.ts";
import { pathOf } from "#http/request-path.ts";
import { type AdminDetail, adminDetail } from "#http/schemas/admin-detail.ts";
import { hasAdminToken } from "#identity/admin-token.ts";
import { recordOf } from "#kernel/headers.ts";
import { StallWatch } from "#kernel/stall-watch.ts";
import type { AdminOptions } from "./admin-options.ts";
import { problemOf } from "./failure.ts";
import { done, type Outcome, refused } from "./outcome.ts";
import { queryReaderOf, type Read, type Reader, readerOf } from "./reader.ts";

/** Limits of a request body: far more than the largest mapping needs, in bytes and milliseconds. */
const BODY_LIMITS = { bytesMax: 1_048_576, readMs: 10_000 };
/** How exactly that time is kept, in milliseconds. */
const WATCH_TICK_MS = 1_000;
const bodyWatch = new StallWatch(WATCH_TICK_MS);

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json$/i;

/** `[1-9]` and at most 15 digits: every such number is exact. Other texts name no row. */
const ID = /^[1-9]\d{0,14}$/;

/** What ids of requests are made of; far longer than ours. */
const REQUEST_ID = /^[\w-]{1,128}$/;

/** One admin operation: how it is described, and the schemas its input must fit. */
export interface Contract<Query extends TSchema, Body extends TSchema> extends AdminDetail {
  readonly query?: Query;
  readonly body?: Body;
}

/** A request that has been authenticated and whose input fits its contract. */
export interface AdminCall<Query, Body> {
  /** The row that the path names; 0 where it names none. */
  readonly id: number;
  /** The request that the path names; empty where it names none. */
  readonly requestId: string;
  readonly query: Query;
  readonly body: Body;
}

/** The input of an operation that takes none. */
const NOTHING = done<undefined>(undefined);

/** What the path names. */
interface PathParams {
  readonly id?: string;
  readonly request_id?: string;
}

interface RouteContext {
  readonly request: Request;
  readonly params?: PathParams;
}

/**
 * Makes operations of the admin API: a route's handler and its options, to be spread into a route.
 *
 * A request is authenticated before anything else about it is looked at. Then its path, query and body are
 * checked, in this order; only then the operation runs. Whatever it throws is answered as a problem
 * that says nothing of the inside. Bodies are read here and not by the framework, which would read and
 * check them first.
 */
export function adminOperations(options: Pick<AdminOptions, "adminToken" | "log">) {
  return <Query extends TSchema, Body extends TSchema>(
    contract: Contract<Query, Body>,
    run: (call: AdminCall<Static<Query>, Static<Body>>) => Promise<Response | Problem>,
  ) => {
    const readCall = callReader(contract);
    const answer = async (request: Request, params: PathParams): Promise<Response | Problem> => {
      if (!hasAdminToken(recordOf(request.headers), options.adminToken)) return { kind: "unauthorized" };
      const call = await readCall(request, params);
      return call.ok ? await run(call.result) : call.problem;
    };
    const handler = async ({ request, params = {} }: RouteContext): Promise<Response> => {
      const answered = await answer(request, params).catch((thrown: unknown) =>
        problemOf(thrown, request, options.log),
      );
      return answered instanceof Response ? answered : respondProblem(answered, pathOf(request.url));
    };
    return [handler, { parse: "none", detail: adminDetail(contract) }] as const;
  };
}

/** An answer with a JSON body. */
export function respondJson(status: 200 | 201, body: object, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers });
}

function callReader<Query extends TSchema, Body extends TSchema>(contract: Contract<Query, Body>) {
  const readQuery = contract.query && queryReaderOf(contract.query);
  const readJson = contract.body && readerOf(contract.body);
  return async (
    request: Request,
    params: PathParams,
  ): Promise<Outcome<AdminCall<Static<Query>, Static<Body>>>> => {
    const named = readParams(params);
    if (named === undefined) return refused({ kind: "not-found" });
    const query = readQuery === undefined ? NOTHING : readOf(readQuery(queryOf(request.url)));
    if (!query.ok) return query;
    const body = readJson === undefined ? NOTHING : await readBodyOf(request, readJson);
    return body.ok ? done({ ...named, query: query.result, body: body.result }) : body;
  };
}

/** What a path names; undefined when it can name nothing. */
function readParams({ id, request_id: requestId }: PathParams) {
  if (id !== undefined && !ID.test(id)) return undefined;
  if (requestId !== undefined && !REQUEST_ID.test(requestId)) return undefined;
  return { id: Number(id ?? 0), requestId: requestId ?? "" };
}

function readOf<Value>(read: Read<Value>): Outcome<Value> {
  return read.ok ? done(read.value) : refused({ kind: "invalid-request", errors: read.errors });
}

async function readBodyOf<Value>(request: Request, read: Reader<Value>): Promise<Outcome<Value>> {
  const [mediaType = ""] = (request.headers.get("content-type") ?? "").split(";");
  if (!JSON_TYPE.test(mediaType.trim())) return refused({ kind: "unsupported-media-type" });
  const input = parseJson(await readBody(request, BODY_LIMITS, bodyWatch));
  if (input !== undefined) return readOf(read(input));
  return refused({ kind: "invalid-request", detail: "The request body is not valid JSON in UTF-8" });
}

/** What the bytes say; undefined, which JSON cannot say, when they are not JSON. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
