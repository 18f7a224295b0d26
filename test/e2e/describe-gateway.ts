import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { startSimulator } from "#simulator/simulator.ts";
import {
  createTenant,
  eventually,
  startGatewayProcess,
  type Tenant,
  type TestGateway,
  usageOf,
} from "#support/gateway.ts";

type Simulator = Awaited<ReturnType<typeof startSimulator>>;

const MODEL = "claude-sonnet-4-6";
const hello = {
  model: MODEL,
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Hello 世界 🎉" }],
};
const USAGE = {
  input_tokens: 120,
  output_tokens: 45,
  cache_creation_input_tokens: 30,
  cache_read_input_tokens: 700,
  cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
};

/** What the gateway promises end to end, whichever database it runs on. */
export function describeGateway(name: string, env: () => Promise<Record<string, string>>): void {
  describe(`the gateway on ${name}`, () => {
    let gateway: TestGateway;
    let simulator: Simulator;
    let tenant: Tenant;
    let client: Anthropic;

    beforeAll(async () => {
      simulator = await startSimulator();
      gateway = await startGatewayProcess(await env());
      tenant = await createTenant(gateway, { upstreamUrl: simulator.url });
      client = new Anthropic({ apiKey: tenant.key, baseURL: gateway.url, maxRetries: 0 });
    }, 120_000);

    afterAll(async () => {
      await gateway?.dispose();
      await simulator?.stop();
    });

    /** A tenant of its own, whose upstream follows the plan for every request. */
    const planned = async (plan: Parameters<Simulator["plan"]>[0]) => {
      const own = await createTenant(gateway, {
        upstreamUrl: simulator.url,
        accounts: [{ credentials: { api_key: `planned-${crypto.randomUUID()}` } }],
      });
      const upstreamKey = `planned-${own.userId}`;
      await gateway.admin("PATCH", `/accounts/${own.accountIds[0]}`, {
        credentials: { api_key: upstreamKey },
      });
      simulator.plan(plan, { apiKey: upstreamKey, repeat: true });
      const sdk = new Anthropic({ apiKey: own.key, baseURL: gateway.url, maxRetries: 0 });
      return { ...own, sdk, upstreamKey };
    };

    const onlyRow = async (userId: number) =>
      (
        await eventually(
          () => usageOf(gateway, userId),
          (rows) => rows.length > 0,
        )
      ).at(0);

    test("the official SDK gets a whole answer, and the usage row holds the upstream's counts", async () => {
      const own = await planned({ usage: USAGE });
      const message = await own.sdk.messages.create(hello);
      expect(message.content[0]).toMatchObject({ type: "text" });
      expect(await onlyRow(own.userId)).toMatchObject({
        status: "completed",
        http_status: 200,
        stream: false,
        attempts: 1,
        model: MODEL,
        input_tokens: 120,
        output_tokens: 45,
        cache_creation_tokens: 30,
        cache_read_tokens: 700,
        account_id: own.accountIds[0] as number,
      });
    });

    for (const content of ["text", "tool_use", "thinking", "mixed"] as const) {
      test(`the official SDK streams ${content}, and the usage row is right`, async () => {
        const own = await planned({ content, usage: USAGE });
        const message = await own.sdk.messages.stream(hello).finalMessage();
        expect(message.stop_reason).not.toBeNull();
        expect(message.content.length).toBeGreaterThan(0);
        const row = await onlyRow(own.userId);
        expect(row).toMatchObject({
          status: "completed",
          stream: true,
          input_tokens: 120,
          output_tokens: 45,
          cache_creation_tokens: 30,
          cache_read_tokens: 700,
        });
        expect(row?.first_token_ms).toBeGreaterThanOrEqual(0);
        // 120 × $3 + 45 × $15 + 10 × $3.75 + 20 × $6 + 700 × $0.30 per million tokens.
        expect(row?.cost_usd).toBe("0.0014025");
      });
    }

    test("what was booked is taken from the balance", async () => {
      const own = await planned({ usage: USAGE });
      await own.sdk.messages.create(hello);
      await onlyRow(own.userId);
      const user = await gateway.admin("GET", `/users/${own.userId}`);
      expect(user["balance_usd"]).toBe("99.9985975");
    });

    test("the official SDK counts tokens and lists models", async () => {
      const counted = await client.messages.countTokens({ model: MODEL, messages: hello.messages });
      expect(counted.input_tokens).toBeGreaterThan(0);
      const ids: string[] = [];
      for await (const model of client.models.list({ limit: 3 })) ids.push(model.id);
      expect(ids).toContain(MODEL);
      expect(new Set(ids).size).toBe(ids.length);
      expect((await client.models.retrieve(MODEL)).id).toBe(MODEL);
    });

    test("the official SDK raises the class of each of our own errors", async () => {
      const stranger = new Anthropic({ apiKey: "sk-unknown", baseURL: gateway.url, maxRetries: 0 });
      expect(await thrownBy(stranger.messages.create(hello))).toBeInstanceOf(Anthropic.AuthenticationError);
      expect(await thrownBy(client.models.retrieve("claude-none"))).toBeInstanceOf(Anthropic.NotFoundError);
      const noModel = client.messages.create({ ...hello, model: "" });
      expect(await thrownBy(noModel)).toBeInstanceOf(Anthropic.BadRequestError);
    });

    const upstreamErrors = [
      [400, "BadRequestError", "invalid_request_error"],
      [404, "NotFoundError", "not_found_error"],
      [413, "APIError", "request_too_large"],
      [429, "RateLimitError", "rate_limit_error"],
      [529, "InternalServerError", "overloaded_error"],
    ] as const;
    for (const [status, errorClass, type] of upstreamErrors) {
      test(`an upstream's ${status} raises what it raises against Anthropic itself, streamed or not`, async () => {
        const own = await planned({ status, headers: { "retry-after": "7" } });
        for (const stream of [false, true]) {
          const thrown = await thrownBy(own.sdk.messages.create({ ...hello, stream }));
          expect(thrown).toBeInstanceOf(Anthropic[errorClass]);
          expect(thrown).toMatchObject({ status, error: { type: "error", error: { type } } });
          if (status === 429) {
            expect((thrown as InstanceType<typeof Anthropic.APIError>).headers?.get("retry-after")).toBe("7");
          }
        }
      });
    }

    test("an upstream's refusal of the request itself arrives byte for byte, after one attempt", async () => {
      const body =
        '{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1"},"x":1}';
      const own = await planned({ status: 400, error_body: body });
      const answer = await post(gateway.url, own.key, JSON.stringify(hello));
      expect([answer.status, await answer.text()]).toEqual([400, body]);
      expect(attemptsOf(simulator, own.upstreamKey)).toHaveLength(1);
    });

    test("a rejected credential is the operator's fault, not the client's", async () => {
      const own = await planned({ status: 401, error_message: `bad key planned` });
      const answer = await post(gateway.url, own.key, JSON.stringify(hello));
      expect(answer.status).toBe(502);
      expect(await answer.json()).toMatchObject({ type: "error", error: { type: "api_error" } });
    });

    test("the bytes of body and answer pass unchanged, unknown fields and odd order included", async () => {
      const own = await planned({ usage: USAGE });
      const body = `{ "zeta" : [1,2.50,1e3], "messages":[{"role":"user","content":"\\u4e16界 \\ud83c\\udf89 🎉"}],\r\n\t"max_tokens":7, "model":"${MODEL}","unknown_field":{"model":"nested"} }`;
      const answer = await post(gateway.url, own.key, body, { "anthropic-beta": "made-up-2099-01-01,other" });
      const direct = await fetch(`${simulator.url}/v1/messages`, {
        method: "POST",
        body,
        headers: { "x-api-key": own.upstreamKey, "anthropic-version": "2023-06-01" },
      });
      expect(withoutIds(await answer.text())).toBe(withoutIds(await direct.text()));
      const [attempt] = attemptsOf(simulator, own.upstreamKey);
      expect(Buffer.from(attempt?.body ?? []).toString()).toBe(body);
      expect(headerOf(attempt, "anthropic-beta")).toBe("made-up-2099-01-01,other");
    });

    test("only allowed request headers reach the upstream, and never the client's credential", async () => {
      const own = await planned({});
      await post(gateway.url, own.key, JSON.stringify(hello), {
        authorization: `Bearer ${own.key}`,
        cookie: "session=1",
        "x-forwarded-for": "1.2.3.4",
        te: "trailers",
        "x-stainless-lang": "js",
        "user-agent": "client/1.0",
      });
      const [attempt] = attemptsOf(simulator, own.upstreamKey);
      const seen = JSON.stringify(attempt?.headers);
      expect(seen).not.toContain(own.key);
      for (const name of ["authorization", "cookie", "x-forwarded-for", "te"]) {
        expect(headerOf(attempt, name)).toBeUndefined();
      }
      expect(headerOf(attempt, "x-api-key")).toBe(own.upstreamKey);
      expect(headerOf(attempt, "x-stainless-lang")).toBe("js");
      expect(headerOf(attempt, "user-agent")).toStartWith("Sluice/");
    });

    test("the upstream's own headers reach the client", async () => {
      const own = await planned({
        headers: { "anthropic-ratelimit-requests-remaining": "41", "x-internal": "no" },
      });
      const answer = await post(gateway.url, own.key, JSON.stringify(hello));
      expect(answer.headers.get("request-id")).toStartWith("req_sim_");
      expect(answer.headers.get("x-sluice-request-id")).toStartWith("req_");
      expect(answer.headers.get("anthropic-ratelimit-requests-remaining")).toBe("41");
      expect(answer.headers.get("content-type")).toStartWith("application/json");
      expect(answer.headers.get("x-internal")).toBeNull();
    });

    test("a body of 20 MB passes unchanged", async () => {
      const own = await planned({});
      const body = JSON.stringify({
        ...hello,
        messages: [{ role: "user", content: "x".repeat(20_000_000) }],
      });
      const answer = await post(gateway.url, own.key, body);
      expect(answer.status).toBe(200);
      expect(attemptsOf(simulator, own.upstreamKey)[0]?.bodyBytes).toBe(body.length);
    });

    const refusals = [
      ["an empty body", "", 400, "invalid_request_error"],
      ["a body that is not JSON", '{"model": ', 400, "invalid_request_error"],
      [
        "a body that is not UTF-8",
        new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]),
        400,
        "invalid_request_error",
      ],
      ["a body that is no object", "[]", 400, "invalid_request_error"],
      ["a missing model", '{"messages":[]}', 400, "invalid_request_error"],
      ["a model of the wrong type", '{"model":7}', 400, "invalid_request_error"],
      ["a stream of the wrong type", `{"model":"${MODEL}","stream":"yes"}`, 400, "invalid_request_error"],
      ["a body that is declared too large", "x".repeat(33_554_433), 413, "request_too_large"],
      ["a body that turns out too large", chunked(33_554_433), 413, "request_too_large"],
    ] as const;
    for (const [what, body, status, type] of refusals) {
      test(`${what} is refused in Anthropic's envelope`, async () => {
        const answer = await post(gateway.url, tenant.key, typeof body === "function" ? body() : body);
        expect(answer.status).toBe(status);
        const error = (await answer.json()) as { type: string; error: { type: string }; request_id: string };
        expect(error).toMatchObject({ type: "error", error: { type } });
        expect(answer.headers.get("request-id")).toBe(error.request_id);
      });
    }

    test("keys that may not be used are refused with 401 and say why", async () => {
      const expiring = await createTenant(gateway, {
        upstreamUrl: simulator.url,
        apiKey: { expires_at: new Date(Date.now() - 1_000).toISOString() },
      });
      const disabled = await createTenant(gateway, { upstreamUrl: simulator.url });
      await gateway.admin("PATCH", `/api-keys/${disabled.keyId}`, { status: "disabled" });
      const answers = await Promise.all([
        post(gateway.url, undefined, JSON.stringify(hello)),
        post(gateway.url, "sk-unknown", JSON.stringify(hello)),
        post(gateway.url, disabled.key, JSON.stringify(hello)),
      ]);
      for (const answer of answers) {
        expect(answer.status).toBe(401);
        expect(await answer.json()).toMatchObject({ type: "error", error: { type: "authentication_error" } });
      }
      const expired = await post(gateway.url, expiring.key, JSON.stringify(hello));
      expect([expired.status, await expired.json()]).toMatchObject([
        403,
        { type: "error", error: { type: "permission_error" } },
      ]);
    });

    test("an unknown route is 404 and a wrong method 405, in the envelope", async () => {
      const unknown = await fetch(`${gateway.url}/v1/nothing`, { headers: { "x-api-key": tenant.key } });
      expect([unknown.status, ((await unknown.json()) as { type: string }).type]).toEqual([404, "error"]);
      const wrong = await fetch(`${gateway.url}/v1/messages`, { headers: { "x-api-key": tenant.key } });
      expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST"]);
      expect(await wrong.json()).toMatchObject({ type: "error" });
    });

    test("a group without a usable account answers 503, an empty balance 403", async () => {
      const bare = await createTenant(gateway, { upstreamUrl: simulator.url, accounts: [] });
      expect((await post(gateway.url, bare.key, JSON.stringify(hello))).status).toBe(503);
      const broke = await createTenant(gateway, { upstreamUrl: simulator.url, user: { balance_usd: "0" } });
      const refused = await post(gateway.url, broke.key, JSON.stringify(hello));
      expect(refused.status).toBe(403);
      expect(await refused.json()).toMatchObject({ error: { type: "permission_error" } });
    });

    test("another account takes over before the first byte, and the row says so", async () => {
      const own = await createTenant(gateway, {
        upstreamUrl: simulator.url,
        accounts: [
          { credentials: { api_key: "failing-first" }, priority: 1 },
          { credentials: { api_key: "good-second" }, priority: 2 },
        ],
      });
      simulator.plan({ fault: { kind: "reset_before_headers" } }, { apiKey: "failing-first", repeat: true });
      expect((await post(gateway.url, own.key, JSON.stringify(hello))).status).toBe(200);
      expect(await onlyRow(own.userId)).toMatchObject({
        attempts: 2,
        account_id: own.accountIds[1] as number,
      });
    });

    test("data survives kill -9 and a restart", async () => {
      const own = await planned({ usage: USAGE });
      await own.sdk.messages.create(hello);
      await onlyRow(own.userId);
      await gateway.kill();
      gateway = await gateway.restart();
      expect(await onlyRow(own.userId)).toMatchObject({ input_tokens: 120 });
      expect((await post(gateway.url, own.key, JSON.stringify(hello))).status).toBe(200);
    }, 60_000);

    test("SIGTERM lets an open stream finish, books it and exits 0", async () => {
      const own = await planned({ events: 10, event_interval_ms: 50, usage: USAGE });
      const answer = await post(gateway.url, own.key, JSON.stringify({ ...hello, stream: true }));
      const stopped = gateway.stop();
      expect(await answer.text()).toContain("event: message_stop");
      expect(await stopped).toBe(0);
      gateway = await gateway.restart();
      expect(await usageOf(gateway, own.userId)).toMatchObject([{ status: "completed", output_tokens: 45 }]);
    }, 60_000);
  });
}

function post(
  url: string,
  key: string | undefined,
  body: string | Uint8Array | ReadableStream,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "anthropic-version": "2023-06-01",
      ...(key === undefined ? {} : { "x-api-key": key }),
      ...headers,
    },
    body: body as string,
  });
}

function chunked(bytes: number): () => ReadableStream<Uint8Array> {
  return () => {
    let left = bytes;
    return new ReadableStream({
      pull: (controller) => {
        const size = Math.min(left, 1_000_000);
        left -= size;
        if (size === 0) controller.close();
        else controller.enqueue(new Uint8Array(size).fill(32));
      },
    });
  };
}

function attemptsOf(simulator: Simulator, apiKey: string) {
  return simulator.attempts().filter((attempt) => attempt.apiKey === apiKey);
}

function headerOf(
  attempt: ReturnType<typeof attemptsOf>[number] | undefined,
  name: string,
): string | undefined {
  return attempt?.headers.find(([header]) => header.toLowerCase() === name)?.[1];
}

/** Every answer of the simulator has its own message id. */
function withoutIds(answer: string): string {
  return answer.replaceAll(/msg_sim_\d+/g, "msg");
}

async function thrownBy(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    return await promise;
  } catch (thrown) {
    return thrown;
  }
}
