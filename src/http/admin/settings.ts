import { Elysia, type Static } from "elysia";
import type { PriceOverride, RuntimeSettings } from "#domain/settings.ts";
import { fieldProblem, type Problem } from "#http/problem.ts";
import { SettingsChange, SettingsShown } from "#http/schemas/settings.ts";
import { runtimeSettings, type SettingRepository } from "#storage/repositories/settings.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { done, type Outcome, refused } from "./outcome.ts";
import { announce } from "./resource.ts";
import { decimalOf } from "./wire.ts";

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
  const problem = orderProblem(after, body) ?? repeatProblem(after.model_prices, body);
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

/** A model must not have two prices, also not by names that differ in case alone. */
function repeatProblem(prices: readonly PriceOverride[], asked: object): Problem | undefined {
  if (!("model_prices" in asked)) return undefined;
  const names = prices.map(({ model }) => model.toLowerCase());
  const repeat = names.findIndex((name, index) => names.indexOf(name) < index);
  return repeat === -1
    ? undefined
    : fieldProblem("unprocessable", `/model_prices/${repeat}/model`, "has a price further up already");
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
  return { ...settings, extra_models: models, model_prices: settings.model_prices.map(showPrice) };
}

function showPrice(price: PriceOverride): object {
  return {
    model: price.model,
    input_usd_per_mtok: decimalOf(price.inputNanos),
    output_usd_per_mtok: decimalOf(price.outputNanos),
    cache_write_5m_usd_per_mtok: decimalOf(price.cacheWrite5mNanos),
    cache_write_1h_usd_per_mtok: decimalOf(price.cacheWrite1hNanos),
    cache_read_usd_per_mtok: decimalOf(price.cacheReadNanos),
    request_usd: decimalOf(price.requestNanos),
  };
}
