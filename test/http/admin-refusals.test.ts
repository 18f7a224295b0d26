import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { openStorage } from "#storage/storage.ts";
import { unique } from "../storage/records.ts";
import { ADMIN_TOKEN, type Answer, appOver, startApp, type TestApp } from "./harness.ts";

const authorization = `Bearer ${ADMIN_TOKEN}`;
const ACCOUNT = { name: "a", platform: "anthropic", type: "api_key", credentials: { api_key: "k" } };
let t: TestApp;

beforeAll(async () => {
  t = await startApp();
}, 60_000);
afterAll(async () => await t?.close());

function expectProblem({ status, headers, json }: Answer, expected: number): void {
  expect([status, headers.get("content-type")]).toEqual([expected, "application/problem+json"]);
  expect(json).toMatchObject({ status: expected, title: expect.any(String), instance: expect.any(String) });
  expect(json.type).toStartWith("/problems/");
}

const pathsOf = ({ json }: Answer): string[] => json.errors.map(({ path }: { path: string }) => path);

describe("without the admin token", () => {
  const FOREIGN = [
    undefined,
    "Bearer ",
    "Bearer wrong",
    `Basic ${ADMIN_TOKEN}`,
    ADMIN_TOKEN,
    `Bearer ${ADMIN_TOKEN}x`,
  ];

  test.each(FOREIGN)(
    "nothing below /admin is told to %p, not even what exists or what is malformed",
    async (value) => {
      const requests: [string, string, RequestInit?][] = [
        ["GET", "/admin/users"],
        ["GET", "/admin/users?limit=nonsense"],
        ["GET", "/admin/users/nonsense"],
        ["POST", "/admin/users", { body: "{malformed" }],
        ["POST", "/admin/users", { body: "x".repeat(2_000_000) }],
        ["PUT", "/admin/users"],
        ["GET", "/admin/no-such-thing"],
        ["GET", "/admin"],
      ];
      for (const [method, path, init] of requests) {
        const headers: Record<string, string> = value === undefined ? {} : { authorization: value };
        const answer = await t.request(method, path, { ...init, headers });
        expectProblem(answer, 401);
        expect(answer.headers.get("www-authenticate")).toBe("Bearer");
      }
    },
  );
});

describe("input that does not fit", () => {
  const USERS: [string, object, string][] = [
    ["a required field that is missing", {}, "/name"],
    ["a field that does not exist", { name: "x", balanse_usd: "1" }, "/balanse_usd"],
    ["a blank name", { name: "  " }, "/name"],
    ["a name that is too long", { name: "x".repeat(201) }, "/name"],
    ["a control character, which the database cannot hold", { name: "a\u0000b" }, "/name"],
    ["a number in a string", { name: "x", concurrency: "5" }, "/concurrency"],
    ["a broken number", { name: "x", concurrency: 1.5 }, "/concurrency"],
    ["a number out of bounds", { name: "x", concurrency: 100_001 }, "/concurrency"],
    ["a negative first balance", { name: "x", balance_usd: "-1" }, "/balance_usd"],
    ["money as a number", { name: "x", balance_usd: 1 }, "/balance_usd"],
    ["money finer than a nano-dollar", { name: "x", balance_usd: "0.0000000001" }, "/balance_usd"],
    ["money in scientific notation", { name: "x", balance_usd: "1e3" }, "/balance_usd"],
    ["no address", { name: "x", email: "nobody" }, "/email"],
    ["an unknown word", { name: "x", status: "error" }, "/status"],
  ];
  test.each(USERS)("a user with %s is refused, and the field is named", async (_, body, path) => {
    const answer = await t.admin("POST", "/users", body);
    expectProblem(answer, 400);
    expect(pathsOf(answer)).toEqual([path]);
  });

  const KEYS: [string, object, string][] = [
    ["a day that does not exist", { expires_at: "2027-02-29T00:00:00Z" }, "/expires_at"],
    ["a time without a zone", { expires_at: "2027-01-01T00:00:00" }, "/expires_at"],
    ["a year that the database cannot hold", { expires_at: "0000-01-01T00:00:00Z" }, "/expires_at"],
    ["something that is no range", { ip_allow: ["10.0.0.0/8", "10.0.0.0/33"] }, "/ip_allow/1"],
    ["a negative limit", { rate_limit_5h_usd: "-1" }, "/rate_limit_5h_usd"],
    ["an id that is none", { group_id: 0 }, "/group_id"],
    ["an id beyond exact numbers", { group_id: 2 ** 60 }, "/group_id"],
  ];
  test.each(KEYS)("an API key with %s is refused, and the field is named", async (_, fields, path) => {
    const answer = await t.admin("POST", "/api-keys", { user_id: 1, group_id: 1, ...fields });
    expectProblem(answer, 400);
    expect(pathsOf(answer)).toEqual([path]);
  });

  test("mappings are bounded in number and length, and keys are checked too", async () => {
    const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`m${index}`, "x"]));
    for (const model_mapping of [
      many,
      { ["x".repeat(201)]: "y" },
      { "a\u0000": "y" },
      { a: "" },
      { a: 1 },
      [],
    ]) {
      expectProblem(await t.admin("POST", "/accounts", { ...ACCOUNT, model_mapping }), 400);
    }
  });

  test("a body must be an object in JSON", async () => {
    for (const body of ["{malformed", "", "[]", "null", '"text"']) {
      expectProblem(await t.admin("POST", "/users", body), 400);
    }
    const invalidText = await t.request("POST", "/admin/users", {
      headers: { authorization, "content-type": "application/json" },
      body: new Uint8Array([0x22, 0xff, 0x22]),
    });
    expectProblem(invalidText, 400);
  });

  test("a body of another media type is refused as such", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
    ]) {
      const init = { headers: { authorization, "content-type": type }, body: '{"name":"x"}' };
      expectProblem(await t.request("POST", "/admin/users", init), 415);
    }
    for (const type of ["application/json; charset=utf-8", "application/merge-patch+json"]) {
      const init = { headers: { authorization, "content-type": type }, body: '{"name":"x"}' };
      expect((await t.request("POST", "/admin/users", init)).status).toBe(201);
    }
  });

  test("a body of more than a mebibyte is refused, declared or not", async () => {
    const name = "x".repeat(1_048_576);
    expectProblem(await t.admin("POST", "/users", { name }), 413);
    const stream = new Blob([JSON.stringify({ name })]).stream();
    const headers = { authorization, "content-type": "application/json" };
    expectProblem(await t.request("POST", "/admin/users", { headers, body: stream }), 413);
  });

  test("queries are checked as strictly as bodies", async () => {
    const cursor = Buffer.from("1.5").toString("base64url");
    const queries = [
      "limit=0",
      "limit=1001",
      "limit=x",
      "limit=1&limit=2",
      "page=2",
      "cursor=x",
      `cursor=${cursor}`,
    ];
    for (const query of queries) expectProblem(await t.admin("GET", `/users?${query}`), 400);
    const filters = ["user=1", "user_id=x", "status=done", "from=yesterday", "model=%00", "__proto__=x"];
    for (const filter of filters) expectProblem(await t.admin("GET", `/usage?${filter}`), 400);
  });

  test("an id that cannot be one names nothing", async () => {
    for (const id of ["0", "x", "1.5", "-1", "1e3", "99999999999999999999", "%00"]) {
      expectProblem(await t.admin("GET", `/users/${id}`), 404);
    }
  });
});

describe("what cannot be carried out", () => {
  const group = async (platform = "anthropic"): Promise<number> =>
    (await t.admin("POST", "/groups", { name: unique("g"), platform })).json.id;

  test("a name or email that is taken is a conflict", async () => {
    const name = unique("taken");
    const email = `${name}@example.com`;
    expect((await t.admin("POST", "/groups", { name, platform: "openai" })).status).toBe(201);
    const again = await t.admin("POST", "/groups", { name, platform: "gemini" });
    expectProblem(again, 409);
    expect(pathsOf(again)).toEqual(["/name"]);
    await t.admin("POST", "/users", { name, email });
    const other = (await t.admin("POST", "/users", { name })).json;
    const renamed = await t.admin("PATCH", `/users/${other.id}`, { email });
    expectProblem(renamed, 409);
    expect(pathsOf(renamed)).toEqual(["/email"]);
  });

  test("what is still used is not deleted", async () => {
    const groupId = await group();
    const user = (await t.admin("POST", "/users", { name: "x" })).json;
    const key = (await t.admin("POST", "/api-keys", { user_id: user.id, group_id: groupId })).json;
    expectProblem(await t.admin("DELETE", `/groups/${groupId}`), 409);
    expectProblem(await t.admin("DELETE", `/users/${user.id}`), 409);
    expect((await t.admin("DELETE", `/api-keys/${key.id}`)).status).toBe(204);
    expect((await t.admin("DELETE", `/users/${user.id}`)).status).toBe(204);
    expect((await t.admin("DELETE", `/groups/${groupId}`)).status).toBe(204);
  });

  test("references must name something", async () => {
    const groupId = await group();
    const requests: [string, object, string][] = [
      ["/api-keys", { user_id: 999_999, group_id: groupId }, "/user_id"],
      [
        "/groups",
        { name: unique("g"), platform: "openai", fallback_group_id: 999_999 },
        "/fallback_group_id",
      ],
      ["/accounts", { ...ACCOUNT, group_ids: [groupId, 999_999] }, "/group_ids/1"],
      ["/accounts", { ...ACCOUNT, proxy_id: 1 }, "/proxy_id"],
    ];
    for (const [path, body, field] of requests) {
      const answer = await t.admin("POST", path, body);
      expectProblem(answer, 422);
      expect(pathsOf(answer)).toEqual([field]);
    }
  });

  test("an account joins only groups of its platform", async () => {
    const other = await group("openai");
    const created = await t.admin("POST", "/accounts", { ...ACCOUNT, group_ids: [other] });
    expectProblem(created, 422);
    expect(pathsOf(created)).toEqual(["/group_ids/0"]);
    const { id } = (await t.admin("POST", "/accounts", ACCOUNT)).json;
    expectProblem(await t.admin("PATCH", `/accounts/${id}`, { group_ids: [other] }), 422);
  });

  test("a base URL that the outbound policy forbids is refused with the reason, and none is stored", async () => {
    const refused = await t.admin("POST", "/accounts", { ...ACCOUNT, base_url: "http://forbidden" });
    expectProblem(refused, 422);
    expect(refused.json.errors).toEqual([{ path: "/base_url", message: "is forbidden here" }]);
    const { id } = (await t.admin("POST", "/accounts", { ...ACCOUNT, base_url: "https://x/" })).json;
    expectProblem(await t.admin("PATCH", `/accounts/${id}`, { base_url: "http://forbidden" }), 422);
    expect((await t.admin("GET", `/accounts/${id}`)).json.base_url).toBe("https://x");
  });

  test("accounts that this version cannot use are refused instead of stored", async () => {
    for (const type of ["oauth", "setup_token"]) {
      const body = { ...ACCOUNT, type, credentials: { access_token: "token" } };
      const answer = await t.admin("POST", "/accounts", body);
      expectProblem(answer, 422);
      expect(pathsOf(answer)).toEqual(["/type"]);
    }
    expectProblem(
      await t.admin("POST", "/accounts", { ...ACCOUNT, credentials: { access_token: "x" } }),
      400,
    );
  });

  test("a platform does not change, because accounts and keys depend on it", async () => {
    expectProblem(await t.admin("PATCH", `/groups/${await group()}`, { platform: "openai" }), 400);
  });
});

describe("failures", () => {
  test("while the database is away, every operation says so and when to come back", async () => {
    const away = appOver(openStorage("postgres://nobody:hidden@127.0.0.1:1/none", { connectionsMax: 1 }));
    const answers = [
      await away.admin("GET", "/users"),
      await away.admin("POST", "/users", { name: "x" }),
      await away.admin("DELETE", "/users/1"),
      await away.admin("GET", "/usage"),
    ];
    for (const answer of answers) {
      expectProblem(answer, 503);
      expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(answer.text).not.toMatch(/127\.0\.0\.1|ECONN|hidden/);
    }
    await away.close();
  });

  test("a mistake of ours is logged and tells the client nothing", async () => {
    const broken = appOver({
      ...t.storage,
      users: {
        list: () => {
          throw new Error("secret detail", { cause: new Error("the cause") });
        },
      } as never,
      close: async () => undefined,
    });
    const answer = await broken.admin("GET", "/users");
    expectProblem(answer, 500);
    expect(answer.text).not.toContain("secret");
    expect(broken.logged.join()).toContain("the cause");
  });
});
