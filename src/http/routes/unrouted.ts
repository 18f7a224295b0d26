import { respondFault } from "#gateway/render-fault.ts";
import { respondProblem } from "#http/problem.ts";
import { pathOf } from "#http/request-path.ts";
import { hasAdminToken } from "#identity/admin-token.ts";
import { Fault } from "#kernel/fault.ts";
import { recordOf } from "#kernel/headers.ts";
import { newRequestId } from "#kernel/random.ts";
import type { Secret } from "#kernel/secret.ts";

/** Paths whose clients expect the error envelope of the Messages API. */
const GATEWAY_PATH = /^\/(?:v1|antigravity)(?:\/|$)/;
const ADMIN_PATH = /^\/admin(?:\/|$)/;

/** A route as far as its method and path go; `:name` stands for one segment. */
export interface RoutePattern {
  readonly method: string;
  readonly path: string;
}

/** Whether errors on a path are the gateway API's. */
export function isGatewayPath(path: string): boolean {
  return GATEWAY_PATH.test(path);
}

/**
 * Answers a request that no route takes: 405 when its path is known with other methods, else 404, in the
 * words of the API that the path belongs to. Below `/admin` nothing is told without the admin token.
 */
export function respondUnrouted(
  request: Request,
  routes: readonly RoutePattern[],
  adminToken: Secret,
): Response {
  const path = pathOf(request.url);
  if (ADMIN_PATH.test(path) && !hasAdminToken(recordOf(request.headers), adminToken)) {
    return respondProblem({ kind: "unauthorized" }, path);
  }
  const allowed = methodsAt(path, routes);
  return isGatewayPath(path) ? gatewayAnswer(allowed) : plainAnswer(allowed, path);
}

function gatewayAnswer(allowed: readonly string[]): Response {
  const code = allowed.length === 0 ? "route.not_found" : "route.method_not_allowed";
  const response = respondFault(new Fault(code), { requestId: newRequestId() });
  if (allowed.length > 0) response.headers.set("allow", allowed.join(", "));
  return response;
}

function plainAnswer(allowed: readonly string[], path: string): Response {
  if (allowed.length === 0) return respondProblem({ kind: "not-found" }, path);
  return respondProblem({ kind: "method-not-allowed", headers: { allow: allowed.join(", ") } }, path);
}

function methodsAt(path: string, routes: readonly RoutePattern[]): readonly string[] {
  const methods = routes.filter((route) => matches(route.path, path)).map(({ method }) => method);
  return [...new Set(methods.includes("GET") ? [...methods, "HEAD"] : methods)].sort();
}

function matches(pattern: string, path: string): boolean {
  const wanted = pattern.split("/");
  const given = path.split("/");
  return (
    wanted.length === given.length &&
    wanted.every((part, index) => (part.startsWith(":") ? given[index] !== "" : part === given[index]))
  );
}
