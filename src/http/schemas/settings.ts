import { type TSchema, t } from "elysia";
import { PLATFORMS } from "#domain/platform.ts";
import { RUNTIME_SETTINGS, type SettingSpec } from "#domain/settings.ts";
import { CLOSED, integer, list, moment, nullable, number, oneOf, text, usd } from "./fields.ts";

const MODELS_MAX = 200;
const PRICES_MAX = 500;
const VERSION_LENGTH_MAX = 64;

const ExtraModel = t.Object(
  { platform: oneOf(PLATFORMS), id: text(), display_name: text(), created_at: moment() },
  CLOSED,
);

/** A model's name of at most 200 characters, or a pattern, which has its only `*` at the end. */
const MODEL_PATTERN = "^[^\\s\\u0000-\\u001f\\u007f*]{0,199}[^\\s\\u0000-\\u001f\\u007f]$";

const ModelPrice = t.Object(
  {
    model: t.String({ pattern: MODEL_PATTERN, maxLength: 200, examples: ["claude-opus-*"] }),
    input_usd_per_mtok: usd(),
    output_usd_per_mtok: usd(),
    cache_write_5m_usd_per_mtok: t.Optional(usd("By default 1.25 of the input price.")),
    cache_write_1h_usd_per_mtok: t.Optional(usd("By default twice the input price.")),
    cache_read_usd_per_mtok: t.Optional(usd("By default a tenth of the input price.")),
    request_usd: t.Optional(usd("Added to each request that used tokens.")),
  },
  CLOSED,
);

const SETTINGS: Readonly<Record<string, TSchema>> = Object.fromEntries(
  Object.entries<SettingSpec>(RUNTIME_SETTINGS).map(([name, spec]) => [
    name,
    { ...schemaOf(spec), default: spec.fallback },
  ]),
);

/** Every setting as it is now, by name. */
export const SettingsShown = t.Object(SETTINGS, { ...CLOSED, title: "Settings" });

/** Which settings to change. Null returns one to its default. */
export const SettingsChange = t.Partial(
  t.Object(Object.fromEntries(Object.entries(SETTINGS).map(([name, schema]) => [name, nullable(schema)]))),
  { ...CLOSED, title: "SettingsChange" },
);

function schemaOf(spec: SettingSpec): TSchema {
  const { why } = spec;
  switch (spec.kind) {
    case "integer":
      return integer(spec.min, spec.max, why);
    case "number":
      return number(spec.min, spec.max, why);
    case "flag":
      return t.Boolean({ description: why });
    case "choice":
      return oneOf(spec.words, why);
    case "version":
      return t.String({
        pattern: "^(\\d+\\.\\d+\\.\\d+)?$",
        maxLength: VERSION_LENGTH_MAX,
        description: why,
      });
    case "models":
      return list(ExtraModel, MODELS_MAX, why);
    case "prices":
      return list(ModelPrice, PRICES_MAX, why);
  }
}
