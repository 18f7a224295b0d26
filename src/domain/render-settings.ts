import { RUNTIME_SETTINGS, type SettingSpec } from "./settings.ts";

const HEAD = `# Runtime settings

What \`GET\` and \`PATCH /admin/settings\` show and change. A change holds for the next request, on every thread; null brings the default back. This page is printed by \`bun run docs:settings\`.

| name | default | allowed | meaning |
|---|---|---|---|
`;

/** The page of the documentation that lists every setting that can be changed while the gateway runs. */
export function renderRuntimeSettings(): string {
  const rows = Object.entries(RUNTIME_SETTINGS).map(
    ([name, spec]) => `| \`${name}\` | ${shown(spec.fallback)} | ${allowed(spec)} | ${spec.why} |`,
  );
  return `${HEAD}${rows.join("\n")}\n`;
}

function shown(fallback: SettingSpec["fallback"]): string {
  const isEmpty = fallback === "" || (Array.isArray(fallback) && fallback.length === 0);
  return isEmpty ? "empty" : `\`${String(fallback)}\``;
}

function allowed(spec: SettingSpec): string {
  switch (spec.kind) {
    case "integer":
    case "number":
      return `${spec.min} to ${spec.max}`;
    case "flag":
      return "`true`, `false`";
    case "choice":
      return spec.words.map((word) => `\`${word}\``).join(", ");
    case "version":
      return "`x.y.z` or empty";
    case "models":
      return "a list of `platform`, `id`, `display_name`, `created_at`";
    case "prices":
      return "a list of `model`, `input_usd_per_mtok`, `output_usd_per_mtok`, and where wanted `cache_write_5m_usd_per_mtok`, `cache_write_1h_usd_per_mtok`, `cache_read_usd_per_mtok`, `request_usd`";
  }
}
