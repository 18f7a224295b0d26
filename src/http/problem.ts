/** One field that is wrong. */
export interface FieldError {
  /** A JSON pointer into the body, or `/` and the name of a query parameter. */
  readonly path: string;
  readonly message: string;
}

interface ProblemSpec {
  readonly status: number;
  readonly title: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** How long a client should wait while the database is away, in seconds. */
const RETRY_SECONDS = 5;

/** Every kind of refusal outside of the gateway's own routes. The kind is the last part of the problem's `type`. */
export const PROBLEMS = {
  "invalid-request": { status: 400, title: "The request is not valid" },
  unauthorized: {
    status: 401,
    title: "The admin token is missing or wrong",
    headers: { "www-authenticate": "Bearer" },
  },
  "not-found": { status: 404, title: "There is nothing here" },
  "method-not-allowed": { status: 405, title: "The method is not allowed here" },
  conflict: { status: 409, title: "The change conflicts with what is stored" },
  "body-too-large": { status: 413, title: "The request body is too large" },
  "unsupported-media-type": { status: 415, title: "The request body must be JSON" },
  unprocessable: { status: 422, title: "The request cannot be carried out" },
  internal: { status: 500, title: "Internal server error" },
  unavailable: {
    status: 503,
    title: "The database does not answer",
    headers: { "retry-after": String(RETRY_SECONDS) },
  },
} as const satisfies Record<string, ProblemSpec>;

/** A refusal, stated as what happened. Status and title come from {@link PROBLEMS}. */
export interface Problem {
  readonly kind: keyof typeof PROBLEMS;
  /** What is wrong with this very request, in words for its sender. */
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * A problem as a response.
 *
 * Source: RFC 9457, "Problem Details for HTTP APIs". `instance` is the path that was asked for.
 */
export function respondProblem(problem: Problem, instance: string): Response {
  const spec: ProblemSpec = PROBLEMS[problem.kind];
  const body = {
    type: `/problems/${problem.kind}`,
    title: spec.title,
    status: spec.status,
    detail: problem.detail,
    instance,
    errors: problem.errors,
  };
  return new Response(JSON.stringify(body), {
    status: spec.status,
    headers: { "content-type": "application/problem+json", ...spec.headers, ...problem.headers },
  });
}

/** A problem that one field explains. */
export function fieldProblem(
  kind: "invalid-request" | "unprocessable",
  path: string,
  message: string,
): Problem {
  return { kind, detail: `${path.slice(1)} ${message}`, errors: [{ path, message }] };
}
