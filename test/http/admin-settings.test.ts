import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { RUNTIME_SETTINGS, type SettingName } from "#domain/settings.ts";
import { startApp, type TestApp } from "./harness.ts";

const MODEL = {
  platform: "anthropic",
  id: "claude-new",
  display_name: "Claude New",
  created_at: "2027-01-01T00:00:00Z",
};
const PRICE = { model: "claude-opus-*", input_usd_per_mtok: "4.25", output_usd_per_mtok: "20" };
const WHOLE_PRICE = {
  ...PRICE,
  model: "claude-new",
  cache_write_5m_usd_per_mtok: "5",
  cache_write_1h_usd_per_mtok: "8",
  cache_read_usd_per_mtok: "0",
  request_usd: "0.000000001",
};
const DEFAULTS = Object.fromEntries(
  Object.entries(RUNTIME_SETTINGS).map(([name, { fallback }]) => [name, fallback]),
);
let t: TestApp;

beforeAll(async () => {
  t = await startApp();
}, 60_000);
afterAll(async () => await t?.close());

const change = (body: object) => t.admin("PATCH", "/settings", body);

beforeEach(async () => {
  await change(Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, null])));
});

describe("settings", () => {
  test("are all shown, with their defaults until they are changed", async () => {
    const { status, json } = await t.admin("GET", "/settings");
    expect([status, json]).toEqual([200, DEFAULTS as typeof json]);
  });

  test("change in what is named, null returns one to its default, and every thread is told", async () => {
    const changes = {
      switches_max: 0,
      sticky_escape_error_rate: 0.25,
      overload_cooldown: false,
      user_message_queue: "throttle",
      claude_code_version_min: "2.9.0",
      claude_code_version_max: "2.10.0",
      extra_models: [MODEL],
      model_prices: [PRICE, WHOLE_PRICE, { ...PRICE, model: "*" }],
      unknown_model_price: "family_max",
    };
    const before = t.announced.length;
    const changed = await change(changes);
    expect([changed.status, changed.json]).toEqual([200, { ...DEFAULTS, ...changes }]);
    expect((await t.admin("GET", "/settings")).json).toEqual(changed.json);
    expect(t.announced.slice(before)).toEqual([{ kind: "settings", id: 0 }]);
    const back = await change({ overload_cooldown: null, extra_models: null, model_prices: null });
    expect(back.json).toEqual({
      ...DEFAULTS,
      ...changes,
      overload_cooldown: true,
      extra_models: [],
      model_prices: [],
    });
    expect((await change({})).json).toEqual(back.json);
  });

  const WRONG: [path: string, value: unknown][] = [
    ["/no_such_setting", 1],
    ["/__proto_", 1],
    ["/switches_max", -1],
    ["/switches_max", 1.5],
    ["/switches_max", "1"],
    ["/switches_max", 101],
    ["/sticky_escape_error_rate", 0],
    ["/sticky_escape_error_rate", "0.5"],
    ["/overload_cooldown", 1],
    ["/stream_timeout_action", "explode"],
    ["/claude_code_version_min", "2.1"],
    ["/claude_code_version_min", "2.1.0-beta"],
    ["/extra_models", MODEL],
    ["/extra_models/0/created_at", [{ ...MODEL, created_at: "yesterday" }]],
    ["/extra_models/0/platform", [{ ...MODEL, platform: "none" }]],
    ["/extra_models", Array.from({ length: 201 }, () => MODEL)],
    ["/model_prices", Array.from({ length: 501 }, (_, index) => ({ ...PRICE, model: `m${index}` }))],
    ["/model_prices/0/model", [{ ...PRICE, model: "claude-*-4" }]],
    ["/model_prices/0/model", [{ ...PRICE, model: "" }]],
    ["/model_prices/0/model", [{ ...PRICE, model: "two words" }]],
    ["/model_prices/0/model", [{ ...PRICE, model: "m".repeat(201) }]],
    ["/model_prices/0/input_usd_per_mtok", [{ ...PRICE, input_usd_per_mtok: 4 }]],
    ["/model_prices/0/input_usd_per_mtok", [{ ...PRICE, input_usd_per_mtok: "-4" }]],
    ["/model_prices/0/output_usd_per_mtok", [{ ...PRICE, output_usd_per_mtok: "0.0000000001" }]],
    ["/model_prices/0/request_usd", [{ ...PRICE, request_usd: "" }]],
    ["/model_prices/0/price", [{ ...PRICE, price: "1" }]],
    ["/unknown_model_price", "free"],
  ];
  test.each(WRONG)("%s that does not fit changes nothing", async (path, value) => {
    const name = path.split("/")[1] ?? "";
    const answer = await change({ same_account_retries: 7, [name]: value });
    const paths = answer.json.errors?.map((error: { path: string }) => error.path);
    expect([answer.status, paths]).toEqual([400, [path]]);
    expect((await t.admin("GET", "/settings")).json).toEqual(DEFAULTS);
  });

  const PAIRS: [SettingName, unknown, SettingName, unknown][] = [
    ["user_message_delay_min_ms", 1_000, "user_message_delay_max_ms", 999],
    ["claude_code_version_min", "2.10.0", "claude_code_version_max", "2.9.99"],
  ];
  test.each(PAIRS)("%s is never above %p of its pair", async (lower, low, upper, high) => {
    for (const [first, second, path] of [
      [{}, { [lower]: low, [upper]: high }, lower],
      [{ [lower]: low }, { [upper]: high }, upper],
      [{ [upper]: high }, { [lower]: low }, lower],
    ] as const) {
      await change({ [lower]: null, [upper]: null });
      expect((await change(first)).status).toBe(200);
      const { status, json } = await change(second);
      expect([status, json.errors[0].path]).toEqual([422, `/${path}`]);
    }
    await change({ [lower]: null, [upper]: null });
    expect((await change({ [lower]: high, [upper]: low })).status).toBe(200);
  });

  test("no model has two prices", async () => {
    const { status, json } = await change({ model_prices: [PRICE, { ...PRICE, model: "CLAUDE-Opus-*" }] });
    expect([status, json.errors[0].path]).toEqual([422, "/model_prices/1/model"]);
    expect((await t.admin("GET", "/settings")).json.model_prices).toEqual([]);
  });

  test("of two changes that do not go together only one is made", async () => {
    const answers = await Promise.all([
      change({ claude_code_version_min: "3.0.0" }),
      change({ claude_code_version_max: "2.0.0" }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 422]);
  });

  test("a value that another version has stored and this one cannot use counts as its default", async () => {
    await t.storage.settings.put("switches_max", "many");
    expect((await t.admin("GET", "/settings")).json.switches_max).toBe(DEFAULTS["switches_max"] as number);
  });
});

describe("error rules", () => {
  const post = (fields: object) => t.admin("POST", "/error-rules", { name: Bun.randomUUIDv7(), ...fields });

  test("keep keywords in lower case, as answers are compared", async () => {
    const { json } = await post({ keywords: ["Prompt Is TOO Long"] });
    expect(json.keywords).toEqual(["prompt is too long"]);
    const changed = await t.admin("PATCH", `/error-rules/${json.id}`, { keywords: ["ÄÖ"] });
    expect(changed.json.keywords).toEqual(["äö"]);
  });

  test("must ask for something, also after a change", async () => {
    for (const fields of [{}, { platforms: ["openai"] }, { statuses: [], keywords: [] }]) {
      const { status, json } = await post(fields);
      expect([status, json.errors[0].path]).toEqual([422, "/statuses"]);
    }
    const { id } = (await post({ statuses: [529] })).json;
    expect((await t.admin("PATCH", `/error-rules/${id}`, { statuses: [] })).status).toBe(422);
    expect((await t.admin("PATCH", `/error-rules/${id}`, { statuses: [], keywords: ["x"] })).status).toBe(
      200,
    );
  });

  test("have names of their own", async () => {
    const { name } = (await post({ statuses: [400] })).json;
    expect((await post({ name, statuses: [400] })).status).toBe(409);
  });

  const WRONG: [string, object][] = [
    ["/statuses/0", { statuses: [399] }],
    ["/statuses/0", { statuses: [600] }],
    ["/keywords/0", { keywords: [" "] }],
    ["/response_status", { keywords: ["x"], response_status: 200 }],
    ["/message", { keywords: ["x"], message: "" }],
    ["/message", { keywords: ["x"], message: "a\u0000b" }],
    ["/platforms/0", { keywords: ["x"], platforms: ["none"] }],
    ["/match", { keywords: ["x"], match: "some" }],
  ];
  test.each(WRONG)("%s is refused when it does not fit", async (path, fields) => {
    const { status, json } = await post(fields);
    expect([status, json.errors.map((error: { path: string }) => error.path)]).toEqual([400, [path]]);
  });
});
