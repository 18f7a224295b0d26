import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Tenant } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

const TURNS = 200;

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
}, 60_000);
afterAll(() => stage.close());

interface Turn {
  /** What stays the same in every turn, besides the first message. */
  readonly headers?: Record<string, string>;
  readonly body?: Record<string, unknown>;
}

/** Another key of a tenant's user and group. */
async function anotherKey({ userId, groupId }: Tenant): Promise<string> {
  const created = await stage.gateway.admin<{ key: string }>("POST", "/api-keys", {
    user_id: userId,
    group_id: groupId,
    name: "another",
  });
  return created.key;
}

/** Sends one request and says which of the tenant's accounts served it. */
async function turn(
  tenant: Tenant,
  key: string,
  { headers = {}, body = {}, says = "Hello" }: Turn & { says?: string },
): Promise<number> {
  const answer = await stage.ask(key, { headers, body, says });
  await answer.text();
  expect(answer.status).toBe(200);
  return stage.servedBy(answer, tenant);
}

/** A conversation that grows with every turn; which account served each of them. */
async function converse(tenant: Tenant, key: string, { headers, body }: Turn): Promise<readonly number[]> {
  const messages: object[] = [];
  const served: number[] = [];
  for (let count = 0; count < TURNS; count++) {
    messages.push({ role: "user", content: `Question ${count}` });
    const terms = { ...(headers && { headers }), body: { ...body, messages } };
    served.push(await turn(tenant, key, terms));
    messages.push({ role: "assistant", content: `Answer ${count}` });
  }
  return served;
}

const session = (id: string): Turn => ({
  body: { metadata: { user_id: JSON.stringify({ device_id: "d", account_uuid: "", session_id: id }) } },
});

test("the turns of three growing conversations over four accounts land on the account of the first", async () => {
  const tenant = await stage.tenant([{}, {}, {}, {}]);
  const keys = [tenant.key, await anotherKey(tenant), await anotherKey(tenant)] as const;
  const conversations = await Promise.all([
    converse(tenant, keys[0], {}),
    converse(tenant, keys[1], session("7b6f0000-0000-4000-8000-000000000001")),
    converse(tenant, keys[2], { headers: { "x-claude-code-session-id": "session-3" } }),
  ]);
  for (const served of conversations) {
    const onFirst = served.filter((index) => index === served[0]).length;
    expect(onFirst).toBeGreaterThanOrEqual(0.99 * TURNS);
  }
  expect(new Set(conversations.map(([first]) => first)).size).toBe(3);
}, 20_000);

test("a conversation spills over while its account is full, and is bound to it as before afterwards", async () => {
  const tenant = await stage.tenant([
    { concurrency: 1 },
    { concurrency: 1 },
    { concurrency: 1 },
    { concurrency: 1 },
  ]);
  const bound = await turn(tenant, tenant.key, session("full"));
  const slow = stage.ask(tenant.key, { body: { ...session("full").body, simulator: { delay_ms: 1_500 } } });
  const accountId = tenant.accountIds[bound];
  const status = (): Promise<{ in_flight: number; waiting: number }> =>
    stage.gateway.admin("GET", `/accounts/${accountId}/status`);
  while ((await status()).in_flight === 0) await Bun.sleep(5);
  // Three of them may wait for their own account; the others must not have to.
  const finished: number[] = [];
  const others = Array.from({ length: 6 }, async () => {
    finished.push(await turn(tenant, tenant.key, session("full")));
  });
  while (finished.length < 3) await Bun.sleep(10);
  expect(finished).not.toContain(bound);
  expect((await status()).in_flight).toBe(1);
  await Promise.all([...others, slow.then((answer) => answer.text())]);
  expect(finished.filter((index) => index === bound)).toHaveLength(3);
  for (let count = 0; count < 5; count++) {
    expect(await turn(tenant, tenant.key, session("full"))).toBe(bound);
  }
});

describe("two keys that name the same session", () => {
  const FORMS: readonly (readonly [string, (id: string) => Turn])[] = [
    ["in metadata", session],
    ["in a header", (id) => ({ headers: { "x-claude-code-session-id": id } })],
  ];
  test.each(FORMS)("%s never share a binding", async (_form, terms) => {
    const tenant = await stage.tenant(Array.from({ length: 12 }, () => ({})));
    const other = await anotherKey(tenant);
    for (let count = 0; count < 5; count++) {
      const same = terms(`session-${count}`);
      const mine = await turn(tenant, tenant.key, same);
      // The account that was used longest ago is next, so only a shared binding leads to the same one.
      const theirs = await turn(tenant, other, same);
      expect(theirs).not.toBe(mine);
      for (let again = 0; again < 3; again++) {
        expect(await turn(tenant, tenant.key, same)).toBe(mine);
        expect(await turn(tenant, other, same)).toBe(theirs);
      }
    }
  });
});

describe("a conversation that is bound to the second choice", () => {
  async function boundToSecond(): Promise<Tenant> {
    const tenant = await stage.tenant([{ priority: 1 }, { priority: 2 }]);
    const [first] = tenant.accountIds;
    await stage.gateway.admin("PATCH", `/accounts/${first}`, { schedulable: false });
    expect(await turn(tenant, tenant.key, {})).toBe(1);
    await stage.gateway.admin("PATCH", `/accounts/${first}`, { schedulable: true });
    return tenant;
  }

  test("stays there although the first could serve it again", async () => {
    const tenant = await boundToSecond();
    for (let count = 0; count < 4; count++) expect(await turn(tenant, tenant.key, {})).toBe(1);
    expect(await turn(tenant, tenant.key, { says: "Something else" })).toBe(0);
  });

  test.each([["group_id"], ["account_id"]] as const)(
    "chooses anew once its binding was dropped by %s",
    async (filter) => {
      const tenant = await boundToSecond();
      const bystander = await boundToSecond();
      const id = filter === "group_id" ? tenant.groupId : tenant.accountIds[1];
      const dropped = await stage.gateway.admin<object>("DELETE", `/sticky?${filter}=${id}`);
      expect(dropped).toEqual({ flushed: 1 });
      expect(await turn(tenant, tenant.key, {})).toBe(0);
      expect(await turn(bystander, bystander.key, {})).toBe(1);
    },
  );

  test("moves, and stays where it moved to, when its account is taken out of use", async () => {
    const tenant = await boundToSecond();
    const second = `/accounts/${tenant.accountIds[1]}`;
    await stage.gateway.admin("PATCH", second, { status: "disabled" });
    expect(await turn(tenant, tenant.key, {})).toBe(0);
    await stage.gateway.admin("PATCH", second, { status: "active" });
    await stage.gateway.admin("PATCH", `/accounts/${tenant.accountIds[0]}`, { priority: 9 });
    expect(await turn(tenant, tenant.key, {})).toBe(0);
  });

  test("chooses anew when it has been silent for longer than bindings are kept", async () => {
    await stage.set({ sticky_ttl_seconds: 1 });
    try {
      const tenant = await boundToSecond();
      await Bun.sleep(600);
      expect(await turn(tenant, tenant.key, {})).toBe(1);
      await Bun.sleep(600);
      expect(await turn(tenant, tenant.key, {})).toBe(1);
      await Bun.sleep(1_100);
      expect(await turn(tenant, tenant.key, {})).toBe(0);
    } finally {
      await stage.set({ sticky_ttl_seconds: null });
    }
  });
});
