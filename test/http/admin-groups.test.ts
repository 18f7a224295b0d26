import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { unique } from "../storage/records.ts";
import { type Answer, startApp, type TestApp } from "./harness.ts";

let t: TestApp;

beforeAll(async () => {
  t = await startApp();
}, 60_000);
afterAll(async () => await t?.close());

const post = (fields: object = {}) =>
  t.admin("POST", "/groups", { name: unique("g"), platform: "anthropic", ...fields });
const patch = (id: number, fields: object) => t.admin("PATCH", `/groups/${id}`, fields);

async function newGroup(fields: object = {}): Promise<number> {
  const { status, json, text } = await post(fields);
  if (status !== 201) throw new Error(text);
  return json.id;
}

function expectRefusal({ status, json }: Answer, path: string): void {
  expect([status, json.errors?.map((error: { path: string }) => error.path)]).toEqual([422, [path]]);
}

describe("the fallback of a group that is for Claude Code only", () => {
  const FIELD = "/fallback_group_id";

  test("may be any open group of its platform, and null takes it away", async () => {
    const target = await newGroup();
    const id = await newGroup({ claude_code_only: true, fallback_group_id: target });
    expect((await t.admin("GET", `/groups/${id}`)).json.fallback_group_id).toBe(target);
    expect((await patch(id, { fallback_group_id: null })).json.fallback_group_id).toBeNull();
  });

  test("must exist, be of the same platform, and open to all", async () => {
    const id = await newGroup();
    const targets = [
      999_999,
      await newGroup({ platform: "gemini" }),
      await newGroup({ claude_code_only: true }),
    ];
    for (const fallback_group_id of targets) {
      expectRefusal(await post({ fallback_group_id }), FIELD);
      expectRefusal(await patch(id, { fallback_group_id }), FIELD);
    }
    expectRefusal(await patch(id, { fallback_group_id: id }), FIELD);
  });

  test("never leads back to the group, however long the way", async () => {
    const last = await newGroup();
    const middle = await newGroup({ fallback_group_id: last });
    const first = await newGroup({ fallback_group_id: middle });
    expectRefusal(await patch(last, { fallback_group_id: first }), FIELD);
    expectRefusal(await patch(last, { fallback_group_id: middle }), FIELD);
  });

  test("does not make a circle when two changes would make it together", async () => {
    const [one, two] = [await newGroup(), await newGroup()];
    const answers = await Promise.all([
      patch(one, { fallback_group_id: two }),
      patch(two, { fallback_group_id: one }),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 422]);
  });

  test("cannot be closed afterwards, and can be once nobody falls back to it", async () => {
    const target = await newGroup();
    const id = await newGroup({ fallback_group_id: target });
    expectRefusal(await patch(target, { claude_code_only: true }), "/claude_code_only");
    await patch(id, { fallback_group_id: null });
    expect((await patch(target, { claude_code_only: true })).status).toBe(200);
  });
});

describe("the fallback for requests that are refused", () => {
  const FIELD = "/fallback_group_id_on_invalid_request";
  const to = (fallback_group_id_on_invalid_request: number | null) => ({
    fallback_group_id_on_invalid_request,
  });

  test("leads from groups of anthropic and antigravity to groups of anthropic", async () => {
    const target = await newGroup();
    for (const platform of ["anthropic", "antigravity"]) {
      expect((await post({ platform, ...to(target) })).status).toBe(201);
    }
    for (const platform of ["gemini", "openai"])
      expectRefusal(await post({ platform, ...to(target) }), FIELD);
    for (const platform of ["gemini", "openai", "antigravity"]) {
      expectRefusal(await post(to(await newGroup({ platform }))), FIELD);
    }
  });

  test("must exist, be another group, without subscriptions and without such a fallback of its own", async () => {
    const id = await newGroup();
    const targets = [
      999_999,
      await newGroup({ subscription_type: "subscription" }),
      await newGroup(to(await newGroup())),
    ];
    for (const target of targets) {
      expectRefusal(await post(to(target)), FIELD);
      expectRefusal(await patch(id, to(target)), FIELD);
    }
    expectRefusal(await patch(id, to(id)), FIELD);
  });

  test("is not for groups of subscriptions, whichever of the two comes first", async () => {
    const target = await newGroup();
    expectRefusal(await post({ subscription_type: "subscription", ...to(target) }), FIELD);
    const billed = await newGroup({ subscription_type: "subscription" });
    expectRefusal(await patch(billed, to(target)), FIELD);
    const id = await newGroup(to(target));
    expectRefusal(await patch(id, { subscription_type: "subscription" }), "/subscription_type");
    expect((await patch(id, { subscription_type: "subscription", ...to(null) })).status).toBe(200);
  });

  test("stays fit for that while others fall back to it", async () => {
    const target = await newGroup();
    await newGroup(to(target));
    expectRefusal(await patch(target, to(await newGroup())), FIELD);
    expectRefusal(await patch(target, { subscription_type: "subscription" }), "/subscription_type");
    expect((await patch(target, { name: unique("renamed"), claude_code_only: true })).status).toBe(200);
  });
});

describe("the routing of models", () => {
  test("names accounts that exist; the first that does not is pointed to", async () => {
    const body = { name: "a", platform: "anthropic", type: "api_key", credentials: { api_key: "k" } };
    const { id } = (await t.admin("POST", "/accounts", body)).json;
    const routed = await newGroup({ model_routing: { "claude-*": [id], none: [] } });
    const model_routing = { "claude-*": [id], "a/b~c*": [id, 999_999] };
    expectRefusal(await post({ model_routing }), "/model_routing/a~1b~0c*/1");
    expectRefusal(await patch(routed, { model_routing }), "/model_routing/a~1b~0c*/1");
    expect((await t.admin("GET", `/groups/${routed}`)).json.model_routing).toEqual({
      "claude-*": [id],
      none: [],
    });
  });
});

test("a name that is taken is a conflict, and a group that does not exist is not found", async () => {
  const name = unique("taken");
  await newGroup({ name });
  const id = await newGroup();
  expect((await post({ name })).status).toBe(409);
  expect((await patch(id, { name })).status).toBe(409);
  expect((await patch(999_999, { name })).status).toBe(404);
});

test("a group of subscriptions stays one while somebody has a subscription in it", async () => {
  const group_id = await newGroup({ subscription_type: "subscription" });
  const user = await t.admin("POST", "/users", { name: unique("u") });
  const expires_at = "2099-01-01T00:00:00Z";
  const held = await t.admin("POST", "/subscriptions", { user_id: user.json.id, group_id, expires_at });
  expectRefusal(await patch(group_id, { subscription_type: "standard" }), "/subscription_type");
  expect((await patch(group_id, { subscription_type: "subscription" })).status).toBe(200);
  await t.admin("DELETE", `/subscriptions/${held.json.id}`);
  expect((await patch(group_id, { subscription_type: "standard" })).status).toBe(200);
});
