import type { Static } from "elysia";
import { fieldProblem, type Problem } from "#http/problem.ts";
import { ErrorRuleChange, ErrorRuleCreate, ErrorRuleShown } from "#http/schemas/error-rule.ts";
import type { ErrorRuleRow } from "#storage/repositories/error-rules.ts";
import type { AdminOptions } from "./admin-options.ts";
import { done, type Outcome, outcomeOf, refused } from "./outcome.ts";
import { type Resource, resourceRoutes } from "./resource.ts";
import { given, timestampsOf } from "./wire.ts";

/** `/admin/error-rules`: how upstreams' error answers are shown to clients, where that differs from the usual. */
export function errorRuleRoutes(options: AdminOptions) {
  return resourceRoutes(options, errorRuleResource(options));
}

function errorRuleResource({ storage: { errorRules } }: AdminOptions) {
  return {
    kind: "error-rule",
    noun: "error rule",
    path: "/admin/error-rules",
    tag: "error-rules",
    schemas: { shown: ErrorRuleShown, create: ErrorRuleCreate, change: ErrorRuleChange },
    example: {
      name: "Context too long",
      platforms: ["anthropic"],
      statuses: [400],
      keywords: ["prompt is too long"],
      match: "all",
      response_status: 413,
      message: "This conversation has grown too long",
    },
    notes: {
      create: "A rule names statuses, keywords, or both.",
      change: "Lists are replaced as a whole.",
      remove: "What fitted it is shown in the usual way from then on.",
    },
    show: showErrorRule,
    list: (page) => errorRules.list(page),
    get: (id) => errorRules.get(id),
    create: async (body) => {
      const problem = emptinessProblem(body.statuses, body.keywords);
      if (problem !== undefined) return refused(problem);
      const created = outcomeOf(
        await errorRules.create({ ...columnsOf(body), name: body.name }),
        "error rule",
      );
      return created.ok ? done(showErrorRule(created.result)) : created;
    },
    change: async (id, body): Promise<Outcome<ErrorRuleRow>> => {
      const row = await errorRules.get(id);
      if (row === undefined) return refused({ kind: "not-found" });
      const problem = emptinessProblem(body.statuses ?? row.statuses, body.keywords ?? row.keywords);
      return problem === undefined
        ? outcomeOf(await errorRules.update(id, columnsOf(body)), "error rule")
        : refused(problem);
    },
    remove: (id) => errorRules.delete(id),
  } satisfies Resource<ErrorRuleRow, typeof ErrorRuleCreate, typeof ErrorRuleChange>;
}

/** A rule that asks for nothing would never fit, which nobody can mean. */
function emptinessProblem(
  statuses: readonly number[] = [],
  keywords: readonly string[] = [],
): Problem | undefined {
  if (statuses.length > 0 || keywords.length > 0) return undefined;
  const message = "must not be empty where keywords are too: the rule would never fit";
  return fieldProblem("unprocessable", "/statuses", message);
}

function columnsOf(body: Static<typeof ErrorRuleChange>) {
  return given({
    name: body.name,
    enabled: body.enabled,
    priority: body.priority,
    platforms: body.platforms,
    statuses: body.statuses,
    keywords: body.keywords?.map((word) => word.toLowerCase()),
    match: body.match,
    responseStatus: body.response_status,
    message: body.message,
    skipsMonitoring: body.skip_monitoring,
  });
}

function showErrorRule(row: ErrorRuleRow): Static<typeof ErrorRuleShown> {
  return {
    id: row.id,
    name: row.name,
    enabled: row.enabled,
    priority: row.priority,
    platforms: [...row.platforms],
    statuses: row.statuses,
    keywords: row.keywords,
    match: row.match,
    response_status: row.responseStatus,
    message: row.message,
    skip_monitoring: row.skipsMonitoring,
    ...timestampsOf(row),
  };
}
