import { Elysia } from "elysia";
import { RequestTrace } from "#http/schemas/request-trace.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";

const EXAMPLE = {
  request_id: "req_0197f5a0",
  at: "2027-01-31T00:00:00.000Z",
  model: "claude-sonnet-4-6",
  group_id: 1,
  api_key_id: 1,
  stream: true,
  session_key: "1:5f2c",
  client: "claude-code 2.1.0",
  steps: [
    { at_ms: 0, step: "queue", waited_ms: 0 },
    { at_ms: 1, step: "attempt", account_id: 1 },
    { at_ms: 640, step: "answer", status: 200 },
  ],
};

/** `GET /admin/requests/{request_id}/trace`: how a request came by its answer. */
export function requestRoutes(options: AdminOptions) {
  const operation = adminOperations(options);
  return new Elysia({ name: "admin.requests", prefix: "/admin/requests" }).get(
    "/:request_id/trace",
    ...operation(
      {
        tag: "requests",
        summary: "Show how a request came by its answer",
        description:
          "Who could have served it and why others could not, what it waited for, every attempt and why it moved on. Only of recent requests, those under way included.",
        hasRequestId: true,
        success: { status: 200, description: "The trace", schema: RequestTrace, example: EXAMPLE },
      },
      async ({ requestId }) => {
        const trace = await options.traceOf(requestId);
        return trace === undefined ? { kind: "not-found" } : respondJson(200, trace);
      },
    ),
  );
}
