import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { type Tenant, usageOf } from "#support/gateway.ts";
import { openStage, type Stage } from "./stage.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await openStage();
}, 60_000);
afterAll(() => stage.close());

/** What Claude Code of a version sends, as far as it can be known by it. */
function claudeCode(version = "2.1.0") {
  return {
    headers: {
      "user-agent": `claude-cli/${version} (external, cli)`,
      "x-app": "cli",
      "anthropic-beta": "claude-code-20250219",
      "anthropic-version": "2023-06-01",
    },
    body: {
      system: [{ type: "text", text: "You are Claude Code, Anthropic's official CLI for Claude." }],
      metadata: {
        user_id: JSON.stringify({ device_id: "d", account_uuid: "", session_id: crypto.randomUUID() }),
      },
    },
  };
}

const attempts = ({ upstreamKeys: [key = ""] }: Tenant): number => stage.attemptsOf(key).length;

async function messageOf(answer: Response): Promise<string> {
  const { error } = (await answer.json()) as { error: { message: string } };
  return error.message;
}

describe("a group for Claude Code only", () => {
  test("refuses other clients, also those that only call themselves so, and serves Claude Code", async () => {
    const tenant = await stage.tenant([{}], { group: { claude_code_only: true } });
    const { headers, body } = claudeCode();
    for (const stranger of [{ headers: { "user-agent": "curl/8.9.1" } }, { headers }, { body }]) {
      const answer = await stage.ask(tenant.key, stranger);
      expect(answer.status).toBe(403);
      expect(await answer.json()).toMatchObject({ type: "error", error: { type: "permission_error" } });
    }
    expect(attempts(tenant)).toBe(0);
    expect(await usageOf(stage.gateway, tenant.userId)).toEqual([]);
    expect((await stage.ask(tenant.key, { headers, body })).status).toBe(200);
    expect(attempts(tenant)).toBe(1);
  });

  test("lets its fallback serve other clients where it has one", async () => {
    const open = await stage.tenant([{}]);
    const tenant = await stage.tenant([{}], {
      group: { claude_code_only: true, fallback_group_id: open.groupId },
    });
    expect((await stage.ask(tenant.key, { headers: { "user-agent": "curl/8.9.1" } })).status).toBe(200);
    expect([attempts(tenant), attempts(open)]).toEqual([0, 1]);
    expect((await stage.ask(tenant.key, claudeCode())).status).toBe(200);
    expect([attempts(tenant), attempts(open)]).toEqual([1, 1]);
  });

  test("serves token counts and probes of Claude Code, which carry no marks in their body", async () => {
    const tenant = await stage.tenant([{}], { group: { claude_code_only: true } });
    const { headers } = claudeCode();
    const probe = { headers, body: { model: "claude-haiku-4-5", max_tokens: 1 } };
    expect((await stage.ask(tenant.key, probe)).status).toBe(200);
    const counted = await fetch(`${stage.gateway.url}/v1/messages/count_tokens`, {
      method: "POST",
      headers: { ...headers, "x-api-key": tenant.key },
      body: JSON.stringify({ model: "claude-sonnet-4-6", messages: [{ role: "user", content: "Hello" }] }),
    });
    expect(counted.status).toBe(200);
  });
});

test("versions of Claude Code outside the bounds are told which are served; other clients have no version", async () => {
  const tenant = await stage.tenant([{}]);
  await stage.set({ claude_code_version_min: "2.0.9", claude_code_version_max: "2.10.0" });
  try {
    for (const version of ["1.9.99", "2.0.8", "2.10.1", "3.0.0"]) {
      const answer = await stage.ask(tenant.key, claudeCode(version));
      expect([version, answer.status]).toEqual([version, 400]);
      const message = await messageOf(answer);
      expect(message).toContain(version);
      expect(message).toContain(version < "2.1" ? "2.0.9" : "2.10.0");
    }
    expect(attempts(tenant)).toBe(0);
    for (const version of ["2.0.9", "2.0.10", "2.9.0", "2.10.0"]) {
      expect([version, (await stage.ask(tenant.key, claudeCode(version))).status]).toEqual([version, 200]);
    }
    expect((await stage.ask(tenant.key)).status).toBe(200);
  } finally {
    await stage.set({ claude_code_version_min: null, claude_code_version_max: null });
  }
  expect((await stage.ask(tenant.key, claudeCode("1.0.0"))).status).toBe(200);
});

describe("an account that answers housekeeping itself", () => {
  const HOUSEKEEPING = [
    ["warmup", { says: "Warmup" }],
    ["suggestion", { says: "[SUGGESTION MODE: Suggest what the user might type next.]" }],
    ["probe", { ...claudeCode(), body: { model: "claude-haiku-4-5", max_tokens: 1 } }],
  ] as const;

  test.each(HOUSEKEEPING)("answers a %s in Anthropic's form, for nothing, and says so", async (kind, ask) => {
    const tenant = await stage.tenant([{ intercept_warmup: true, concurrency: 1 }]);
    const answer = await stage.ask(tenant.key, ask);
    expect([answer.status, answer.headers.get("x-sluice-local")]).toEqual([200, kind]);
    expect(await answer.json()).toMatchObject({
      id: expect.stringContaining("local"),
      type: "message",
      role: "assistant",
      content: [{ type: "text" }],
      usage: { input_tokens: 0, output_tokens: 0 },
    });
    expect(attempts(tenant)).toBe(0);
    expect(await usageOf(stage.gateway, tenant.userId)).toEqual([]);
    const live = await stage.gateway.admin("GET", `/accounts/${tenant.accountIds[0]}/status`);
    expect(live).toMatchObject({ in_flight: 0, waiting: 0 });
  });

  test("answers a streamed one as a stream that the official SDK reads", async () => {
    const tenant = await stage.tenant([{ intercept_warmup: true }]);
    const sdk = new Anthropic({ apiKey: tenant.key, baseURL: stage.gateway.url, maxRetries: 0 });
    const message = await sdk.messages
      .stream({
        model: "claude-sonnet-4-6",
        max_tokens: 10,
        messages: [{ role: "user", content: "Warmup" }],
      })
      .finalMessage();
    expect(message).toMatchObject({ stop_reason: "end_turn", usage: { output_tokens: 0 } });
    expect(attempts(tenant)).toBe(0);
    expect(await usageOf(stage.gateway, tenant.userId)).toEqual([]);
  });

  test("sends on what people ask, and what other clients probe", async () => {
    const tenant = await stage.tenant([{ intercept_warmup: true }]);
    const probe = { model: "claude-haiku-4-5", max_tokens: 1 };
    for (const ask of [{ says: "Hello" }, { says: "Warmup, please" }, { body: probe }]) {
      const answer = await stage.ask(tenant.key, ask);
      expect([answer.status, answer.headers.get("x-sluice-local")]).toEqual([200, null]);
    }
    expect(attempts(tenant)).toBe(3);
  });

  test("is asked for it: an account that was not told to sends everything on", async () => {
    const tenant = await stage.tenant([{}]);
    expect((await stage.ask(tenant.key, { says: "Warmup" })).headers.get("x-sluice-local")).toBeNull();
    expect(attempts(tenant)).toBe(1);
  });
});
