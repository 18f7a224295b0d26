import { Elysia } from "elysia";

/** What the operations routes show. */
export interface OperationsOptions {
  /** Empty when the process can serve; else what is wrong. */
  readonly problems: () => Promise<readonly string[]>;
  /** What the process does without at the moment, though it serves. */
  readonly limitations: () => Promise<readonly string[]>;
  /** Everything that is counted, in Prometheus' text form. */
  readonly metricsText: () => Promise<string>;
}

/** Source: https://prometheus.io/docs/instrumenting/exposition_formats/ */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const TEXT_CONTENT = { "text/plain": { schema: { type: "string" as const } } };

const PROBE_MODEL = {
  type: "object" as const,
  required: ["status"],
  properties: {
    status: { type: "string" as const, enum: ["ok", "ready", "unavailable"] },
    problems: { type: "array" as const, items: { type: "string" as const } },
    limitations: { type: "array" as const, items: { type: "string" as const } },
  },
};

/** `/health/live`, `/health/ready` and `/metrics`, open to whoever can reach them. They show no names and no secrets. */
export function operationsRoutes({ problems, limitations, metricsText }: OperationsOptions) {
  return new Elysia({ name: "routes.operations" })
    .get("/health/live", () => Response.json({ status: "ok" }), {
      detail: probeDetail("Tell whether the process runs", { 200: "It runs" }),
    })
    .get("/health/ready", () => respondReadiness(problems, limitations), {
      detail: probeDetail("Tell whether the process can serve", {
        200: "It can; `limitations` says what it does without, if there is anything",
        503: "It cannot; `problems` says why",
      }),
    })
    .get("/metrics", () => respondMetrics(metricsText), {
      detail: {
        tags: ["operations"],
        summary: "Show metrics",
        description: "Prometheus' text form, added up over all threads.",
        security: [],
        responses: {
          200: { description: "Metrics", content: TEXT_CONTENT },
          503: { description: "The metrics could not be gathered", content: TEXT_CONTENT },
        },
      },
    });
}

/** A check that fails is a problem itself. */
async function respondReadiness(
  problems: OperationsOptions["problems"],
  limitations: OperationsOptions["limitations"],
): Promise<Response> {
  const found = await problems().catch(() => ["the check itself failed"]);
  if (found.length === 0) {
    const limits = await limitations().catch(() => []);
    return Response.json(
      limits.length === 0 ? { status: "ready" } : { status: "ready", limitations: limits },
    );
  }
  return Response.json({ status: "unavailable", problems: found }, { status: 503 });
}

async function respondMetrics(metricsText: OperationsOptions["metricsText"]): Promise<Response> {
  try {
    return new Response(await metricsText(), { headers: { "content-type": METRICS_TYPE } });
  } catch {
    return new Response("metrics are unavailable\n", { status: 503 });
  }
}

function probeDetail(summary: string, answers: Readonly<Record<number, string>>) {
  const responses = Object.entries(answers).map(([status, description]) => [
    status,
    { description, content: { "application/json": { schema: PROBE_MODEL } } },
  ]);
  return {
    tags: ["operations"],
    summary,
    description: "For load balancers and supervisors.",
    security: [],
    responses: Object.fromEntries(responses),
  };
}
