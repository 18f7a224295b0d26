import { expect, test } from "bun:test";
import { DEFAULT_SETTINGS, type SettingName } from "#domain/settings.ts";
import { runtimeSettings } from "#storage/repositories/settings.ts";

const read = (name: string, value: unknown) =>
  runtimeSettings([{ key: name, value, updatedAtMs: 0 }])[name as SettingName] as unknown;

test("without anything stored every setting has its default", () => {
  expect(runtimeSettings([])).toEqual(DEFAULT_SETTINGS);
});

const FITTING: [SettingName, unknown][] = [
  ["sticky_ttl_seconds", 1],
  ["switches_max", 0],
  ["rate_limit_headroom", 0.5],
  ["sticky_escape_error_rate", 1],
  ["overload_cooldown", false],
  ["stream_timeout_action", "error"],
  ["claude_code_version_min", "2.1.10"],
  ["claude_code_version_max", ""],
  ["unknown_model_price", "family_max"],
];
test.each(FITTING)("%s is %p where that is stored", (name, value) => {
  expect(read(name, value)).toBe(value);
});

const UNFITTING: [SettingName, unknown][] = [
  ["sticky_ttl_seconds", 0],
  ["sticky_ttl_seconds", 1.5],
  ["sticky_ttl_seconds", "60"],
  ["sticky_ttl_seconds", Number.MAX_SAFE_INTEGER],
  ["rate_limit_headroom", 1.1],
  ["rate_limit_headroom", "0.5"],
  ["overload_cooldown", 0],
  ["stream_timeout_action", "explode"],
  ["claude_code_version_min", "2.1"],
  ["claude_code_version_min", null],
  ["extra_models", { platform: "anthropic" }],
  ["model_prices", { model: "m", input_usd_per_mtok: "1", output_usd_per_mtok: "1" }],
  ["unknown_model_price", "free"],
];
test.each(UNFITTING)(
  "%s keeps its default where %p is stored, which this version cannot use",
  (name, value) => {
    expect(read(name, value)).toEqual(DEFAULT_SETTINGS[name]);
  },
);

test("a name that this version does not know is not read", () => {
  expect(runtimeSettings([{ key: "of_another_version", value: 1, updatedAtMs: 0 }])).toEqual(
    DEFAULT_SETTINGS,
  );
});

test("of extra models those that are whole are read", () => {
  const whole = { platform: "gemini", id: "m", display_name: "M", created_at: "2027-01-01T00:00:00Z" };
  const broken = [null, "m", { ...whole, platform: "none" }, { ...whole, id: 1 }, { platform: "gemini" }];
  expect(read("extra_models", [...broken, whole])).toEqual([
    { platform: "gemini", id: "m", displayName: "M", createdAt: "2027-01-01T00:00:00Z" },
  ]);
});

test("of model prices those that are whole are read, to the nano-dollar", () => {
  const whole = { model: "claude-opus-*", input_usd_per_mtok: "4.000000001", output_usd_per_mtok: "20" };
  const stated = {
    ...whole,
    model: "m",
    cache_write_5m_usd_per_mtok: "5",
    cache_write_1h_usd_per_mtok: "8",
    cache_read_usd_per_mtok: "0",
    request_usd: "0.01",
  };
  const broken = [
    null,
    "m",
    { ...whole, model: 1 },
    { ...whole, input_usd_per_mtok: 4 },
    { ...whole, output_usd_per_mtok: "-20" },
    { ...whole, cache_read_usd_per_mtok: "cheap" },
    { model: "m", input_usd_per_mtok: "4" },
  ];
  expect(read("model_prices", [...broken, whole, stated])).toEqual([
    { model: "claude-opus-*", inputNanos: 4_000_000_001n, outputNanos: 20_000_000_000n },
    {
      model: "m",
      inputNanos: 4_000_000_001n,
      outputNanos: 20_000_000_000n,
      cacheWrite5mNanos: 5_000_000_000n,
      cacheWrite1hNanos: 8_000_000_000n,
      cacheReadNanos: 0n,
      requestNanos: 10_000_000n,
    },
  ]);
});
