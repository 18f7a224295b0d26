import { Elysia, type Static } from "elysia";
import type { RuntimeSettings } from "#domain/settings.ts";
import { fieldProblem, type Problem } from "#http/problem.ts";
import { SettingsChange, SettingsShown } from "#http/schemas/settings.ts";
import { runtimeSettings, type SettingRepository } from "#storage/repositories/settings.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { done, type Outcome, refused } from "./outcome.ts";
import { announce } from "./resource.ts";

const TAG = "settings";

/** `/admin/settings`: what can be changed while the gateway runs. */
export function settingsRoutes(options: AdminOptions) {
  const { settings } = options.storage;
  const operation = adminOperations(options);
  return new Elysia({ name: "admin.settings", prefix: "/admin/settings" })
    .get(
      "",
      ...operation(
        {
          tag: TAG,
          summary: "Show the settings",
          description: "Every setting with its value now, which is its default until it is changed.",
          success: { status: 200, description: "The settings", schema: SettingsShown },
        },
        async () => respondJson(200, showSettings(runtimeSettings(await settings.all()))),
      ),
    )
    .patch(
      "",
      ...operation(
        {
          tag: TAG,
          summary: "Change settings",
          description:
            "Holds for the next request. What is absent stays as it is; null returns a setting to its default. All of it is changed or nothing.",
          body: SettingsChange,
          example: { sticky_ttl_seconds: 7_200, switches_max: null },
          success: { status: 200, description: "The settings as they are now", schema: SettingsShown },
          problems: [422],
        },
        async ({ body }) => {
          const changed = await settings.exclusively((locked) => changeSettings(locked, body));
          if (!changed.ok) return changed.problem;
          await announce(options, { kind: "settings", id: 0 });
          return respondJson(200, showSettings(changed.result));
        },
      ),
    );
}

async function changeSettings(
  settings: SettingRepository,
  body: Static<typeof SettingsChange>,
): Promise<Outcome<RuntimeSettings>> {
  const changes = Object.entries<unknown>(body);
  const kept = (await settings.all()).filter(({ key }) => !Object.hasOwn(body, key));
  const given = changes.flatMap(([key, value]) => (value === null ? [] : [{ key, value, updatedAtMs: 0 }]));
  const after = runtimeSettings([...kept, ...given]);
  const problem = orderProblem(after, body);
  if (problem !== undefined) return refused(problem);
  for (const [key, value] of changes) {
    if (value === null || value === undefined) await settings.remove(key);
    else await settings.put(key, value);
  }
  return done(after);
}

/** The lower bound of a pair must not be above the upper one; what is at fault is what was asked to change. */
function orderProblem(after: RuntimeSettings, asked: object): Problem | undefined {
  const wrong = [
    {
      lower: "user_message_delay_min_ms",
      upper: "user_message_delay_max_ms",
      isOrdered: after.user_message_delay_min_ms <= after.user_message_delay_max_ms,
    },
    {
      lower: "claude_code_version_min",
      upper: "claude_code_version_max",
      isOrdered: areOrdered(after.claude_code_version_min, after.claude_code_version_max),
    },
  ].find(({ lower, upper, isOrdered }) => !isOrdered && (lower in asked || upper in asked));
  if (wrong === undefined) return undefined;
  const { lower, upper } = wrong;
  return lower in asked
    ? fieldProblem("unprocessable", `/${lower}`, `must not be above ${upper}`)
    : fieldProblem("unprocessable", `/${upper}`, `must not be below ${lower}`);
}

/** Whether a version is not above another; an empty one is no bound. */
function areOrdered(lower: string, upper: string): boolean {
  return lower === "" || upper === "" || lower.localeCompare(upper, "en", { numeric: true }) <= 0;
}

function showSettings(settings: RuntimeSettings): object {
  const models = settings.extra_models.map(({ platform, id, displayName, createdAt }) => ({
    platform,
    id,
    display_name: displayName,
    created_at: createdAt,
  }));
  return { ...settings, extra_models: models };
}
