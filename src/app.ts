import { Elysia } from "elysia";
import { respondFault } from "#gateway/render-fault.ts";
import type { AdminOptions } from "#http/admin/admin-options.ts";
import { adminRoutes } from "#http/admin/routes.ts";
import { type GatewayEndpointOptions, KEEP_ALIVE_SECONDS } from "#http/gateway-endpoint.ts";
import { respondProblem } from "#http/problem.ts";
import { pathOf } from "#http/request-path.ts";
import { docsRoutes } from "#http/routes/docs.ts";
import { type OperationsOptions, operationsRoutes } from "#http/routes/health.ts";
import { messagesRoutes } from "#http/routes/messages.ts";
import { isWellAddressed, respondMisaddressed } from "#http/routes/misaddressed.ts";
import { modelsRoutes } from "#http/routes/models.ts";
import { isGatewayPath, respondUnrouted } from "#http/routes/unrouted.ts";
import { usageRoutes } from "#http/routes/usage.ts";
import { Fault } from "#kernel/fault.ts";
import { newRequestId } from "#kernel/random.ts";
import type { Snapshot } from "#snapshot/snapshot.ts";

/** What the routes work with. */
export interface AppOptions {
  readonly gateway: GatewayEndpointOptions;
  readonly snapshot: Snapshot;
  readonly admin: AdminOptions;
  readonly operations: OperationsOptions;
}

/**
 * How Bun serves. Threads share one port. Bun answers a body beyond its own limit by itself and without
 * a word, so its limit is lifted: every route that reads a body counts its bytes. Error pages with source
 * text are for nobody.
 */
const SERVE = {
  reusePort: true,
  idleTimeout: KEEP_ALIVE_SECONDS,
  maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  development: false,
} as const;

/**
 * Every route there is. The app does not listen yet.
 *
 * There are no hooks before or after the routes, and none may be added: with headers of its own to add, the
 * framework would rebuild a gateway route's response and decode its stream chunk by chunk. The wrap is no such
 * hook: it only decides who handles a request, before any route is looked up, and never sees a response.
 */
export function buildApp(options: AppOptions) {
  const api = apiRoutes(options);
  const app = new Elysia({ serve: SERVE, handler: { standardHostname: false } })
    .onError(({ code, error, request }) =>
      code === "NOT_FOUND"
        ? respondUnrouted(request, app.routes, options.admin.adminToken)
        : respondStray(error, request, options),
    )
    .wrap((handle, request) => (isWellAddressed(request) ? handle : () => respondMisaddressed(request)))
    .use(api)
    .use(docsRoutes(api));
  return app;
}

function apiRoutes({ gateway, snapshot, admin, operations }: AppOptions) {
  return new Elysia()
    .use(messagesRoutes(gateway))
    .use(modelsRoutes(gateway, snapshot))
    .use(
      usageRoutes(gateway, {
        snapshot,
        statistics: admin.storage.keyStatistics,
        flushLedger: admin.flushLedger,
      }),
    )
    .use(adminRoutes(admin))
    .use(operationsRoutes(operations));
}

/** Routes answer their own failures, so whatever arrives here is a mistake in one of them. */
function respondStray(error: unknown, request: Request, { admin }: AppOptions): Response {
  const path = pathOf(request.url);
  const fault = Fault.from(error);
  admin.log.error("http.stray_error", { method: request.method, path, reason: fault.message });
  if (isGatewayPath(path)) return respondFault(fault, { requestId: newRequestId() });
  return respondProblem({ kind: "internal" }, path);
}
