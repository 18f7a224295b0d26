import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { ApiKeyId } from "#domain/ids.ts";
import { usageLine } from "#domain/usage-line.ts";
import type { UsageRecord } from "#domain/usage-record.ts";
import { recordOf, unique } from "../storage/records.ts";
import { ADMIN_TOKEN, startApp, type TestApp } from "./harness.ts";

const START_MS_MAX = 60_000;
const DAY_MS = 86_400_000;
const NEW_YEAR = Date.UTC(2027, 0, 1);

let t: TestApp;
let nextUser = 8_000;

beforeAll(async () => {
  t = await startApp();
}, START_MS_MAX);
afterAll(async () => await t?.close(), START_MS_MAX);

/** Books what one user, whom nobody else is, used with two keys. */
async function book(changes: readonly Partial<UsageRecord>[]): Promise<readonly UsageRecord[]> {
  const userId = nextUser;
  nextUser += 10;
  const ids = { userId, apiKeyId: userId + 1, groupId: userId + 3, accountId: userId + 4 } as never;
  const records = changes.map((change) => recordOf(ids, { createdAtMs: NEW_YEAR, ...change }));
  await t.storage.usage.book(records.map(usageLine));
  return records;
}

const idsOf = (json: { data: { request_id: string }[] }) => json.data.map((row) => row.request_id);

describe("the list", () => {
  test("goes from page to page over months, each record once, the latest first", async () => {
    const times = [0, 1, 1, 1, 40, 40, 70].map((days) => NEW_YEAR + days * DAY_MS);
    const records = await book(times.map((createdAtMs) => ({ createdAtMs })));
    const userId = records[0]?.userId;
    const seen: string[] = [];
    let cursor = "";
    for (let pages = 0; pages < 10; pages++) {
      const { json } = await t.admin("GET", `/usage?user_id=${userId}&limit=2${cursor}`);
      seen.push(...idsOf(json));
      if (json.next_cursor === null) break;
      cursor = `&cursor=${json.next_cursor}`;
    }
    expect(seen.toSorted()).toEqual(records.map(({ requestId }) => requestId).toSorted());
    const at = new Map(records.map(({ requestId, createdAtMs }) => [requestId, createdAtMs]));
    const shown = seen.map((requestId) => at.get(requestId) ?? 0);
    expect(shown).toEqual(shown.toSorted((a, b) => b - a));
  });

  test("can be narrowed to what a subscription paid, and shows the list price", async () => {
    const records = await book([{ subscriptionId: 8_901 as never, listCostNanos: 3n }, {}]);
    const { json } = await t.admin("GET", "/usage?subscription_id=8901");
    expect(idsOf(json)).toEqual([records[0]?.requestId ?? ""]);
    expect(json.data[0]).toMatchObject({ cost_usd: "0.000000001", list_cost_usd: "0.000000003" });
    const plain = await t.admin("GET", `/usage?request_id=${records[1]?.requestId}`);
    expect(plain.json.data[0].list_cost_usd).toBe("0.000000001");
  });

  test.each(["NDI", "MS4y", "eA", "LTEuMQ", "MS4yLjM", "MDEuMg=="])(
    "takes no cursor but its own: %s",
    async (cursor) => {
      // The second one, "1.2", is of the right form.
      const expected = cursor === "MS4y" ? 200 : 400;
      expect((await t.admin("GET", `/usage?cursor=${cursor}`)).status).toBe(expected);
    },
  );
});

describe("the sums", () => {
  const USED = [
    { model: "a", costNanos: 5n, listCostNanos: 10n, accountCostNanos: 2n, inputTokens: 1, outputTokens: 2 },
    { model: "b", costNanos: 7n, cacheReadTokens: 3, createdAtMs: NEW_YEAR - 1, status: "failed" },
    {
      model: "a",
      costNanos: undefined,
      createdAtMs: NEW_YEAR + DAY_MS,
      apiKeyId: 5 as ApiKeyId,
      accountId: undefined,
    },
  ] as const satisfies readonly Partial<UsageRecord>[];

  test("are told apart by what is asked, the newest day or the dearest first", async () => {
    const records = await book(USED);
    const { userId, apiKeyId, groupId, accountId } = records[0] as UsageRecord;
    const expected: [string, object[]][] = [
      ["day", [{ day: "2027-01-02" }, { day: "2027-01-01" }, { day: "2026-12-31" }]],
      ["model", [{ model: "b" }, { model: "a" }]],
      ["user", [{ user_id: userId }]],
      ["api_key", [{ api_key_id: apiKeyId }, { api_key_id: 5 }]],
      ["group", [{ group_id: groupId }]],
      ["account", [{ account_id: accountId }, { account_id: null }]],
    ];
    for (const [by, data] of expected) {
      const { json } = await t.admin("GET", `/usage/aggregates?by=${by}&user_id=${userId}&from=2026-12-01`);
      expect([by, json.data.length, json]).toMatchObject([by, data.length, { data }]);
      const sum = (name: string) => json.data.reduce((all: number, one: never) => all + Number(one[name]), 0);
      expect([sum("requests"), sum("errors"), sum("total_tokens")]).toEqual([3, 1, 6]);
      expect(
        [sum("cost_usd"), sum("list_cost_usd"), sum("account_cost_usd")].map((usd) => Math.round(usd * 1e9)),
      ).toEqual([12, 17, 9]);
    }
  });

  test("are of whole UTC days, the last one included, and of every filter together", async () => {
    const records = await book(USED);
    const { userId, apiKeyId, groupId, accountId } = records[0] as UsageRecord;
    const filters: [string, string[]][] = [
      ["from=2027-01-01", ["2027-01-02", "2027-01-01"]],
      ["to=2026-12-31", ["2026-12-31"]],
      ["from=2027-01-01&to=2027-01-01", ["2027-01-01"]],
      ["model=a&from=2027-01-01&to=2027-01-01", ["2027-01-01"]],
      [
        `api_key_id=${apiKeyId}&account_id=${accountId}&group_id=${groupId}&model=b&from=2026-01-01`,
        ["2026-12-31"],
      ],
      ["to=2027-01-29", ["2027-01-02", "2027-01-01", "2026-12-31"]],
      ["to=2027-01-31", ["2027-01-02"]],
      ["to=2027-02-01", []],
      ["model=c&from=2026-01-01", []],
      ["limit=1&from=2026-01-01", ["2027-01-02"]],
    ];
    for (const [filter, days] of filters) {
      const { json } = await t.admin("GET", `/usage/aggregates?by=day&user_id=${userId}&${filter}`);
      expect([filter, json.data.map(({ day }: { day: string }) => day)]).toEqual([filter, days]);
    }
  });

  test.each([
    "",
    "?by=hour",
    "?by=day&from=2027-02-30",
    "?by=day&from=2027-01-02&to=2027-01-01",
    "?by=day&limit=0",
  ])("of %s are refused", async (query) => {
    expect((await t.admin("GET", `/usage/aggregates${query}`)).status).toBe(400);
  });
});

describe("the table", () => {
  const exported = (query: string) => t.admin("GET", `/usage/export?${query}`);

  test("has every record that fits, over as many pages as it takes, and ends", async () => {
    const records = await book(
      Array.from({ length: 2_345 }, (_, at) => ({ createdAtMs: NEW_YEAR + at * 60_000 })),
    );
    const { status, headers, text } = await exported(`user_id=${records[0]?.userId}`);
    expect([status, headers.get("content-type")]).toEqual([200, "text/csv; charset=utf-8; header=present"]);
    const [names, ...lines] = text.split("\r\n");
    expect(names).toStartWith("id,request_id,user_id,");
    expect(lines.pop()).toBe("");
    const ids = lines.map((line) => line.split(",")[1] ?? "");
    expect(ids).toEqual(records.map(({ requestId }) => requestId).toReversed());
  });

  test("runs nothing in a spreadsheet and keeps every text whole", async () => {
    const texts = [
      "=1+1",
      "+1",
      "-cmd|' /C calc'!A0",
      "@SUM(1)",
      "\t=1",
      'say "hi", you',
      "two\nlines",
      "plain",
    ];
    const [{ userId } = { userId: 0 }] = await book(
      texts.map((upstreamModel, at) => ({ upstreamModel, createdAtMs: NEW_YEAR - at, costNanos: -5n })),
    );
    const { text } = await exported(`user_id=${userId}`);
    const shown = [
      "'=1+1",
      "'+1",
      "'-cmd|' /C calc'!A0",
      "'@SUM(1)",
      "'\t=1",
      '"say ""hi"", you"',
      '"two\nlines"',
      "plain",
    ];
    for (const cell of shown) expect(text).toContain(`,claude-test,${cell},`);
    expect(text).toContain(",-0.000000005,");
  });

  test("of nothing is the line of names", async () => {
    const { text } = await exported(`model=${unique("none")}`);
    expect(text.trimEnd().split("\r\n")).toHaveLength(1);
  });

  test("is for admins, and takes the filters of the list only", async () => {
    expect((await t.request("GET", "/admin/usage/export")).status).toBe(401);
    expect((await exported("limit=1")).status).toBe(400);
  });

  test("is read no further than the client takes it, and no more after it left", async () => {
    const [{ userId } = { userId: 0 }] = await book(Array.from({ length: 3_500 }, () => ({})));
    const list = t.storage.usage.list.bind(t.storage.usage);
    let pages = 0;
    t.storage.usage.list = (...args) => {
      pages++;
      return list(...args);
    };
    try {
      const response = await t.app.handle(
        new Request(`http://localhost/admin/usage/export?user_id=${userId}`, {
          headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
        }),
      );
      const reader = (response.body as ReadableStream<Uint8Array>).getReader();
      await reader.read();
      await reader.read();
      expect(pages).toBe(2);
      await reader.cancel();
      expect((await t.admin("GET", "/usage?limit=1")).status).toBe(200);
      expect(pages).toBe(3);
      expect(t.logged.filter((line) => line.includes("export_broke_off"))).toEqual([]);
    } finally {
      t.storage.usage.list = list;
    }
  });
});
