import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import type { Plan } from "#simulator/plan.ts";
import { type Simulator, startSimulator } from "#simulator/simulator.ts";

let simulator: Simulator;
let client: Anthropic;

beforeAll(async () => {
  simulator = await startSimulator({ apiKeys: ["sk-good"] });
  client = new Anthropic({ apiKey: "sk-good", baseURL: `${simulator.url}/some/base`, maxRetries: 0 });
});
afterAll(() => simulator.stop());
beforeEach(() => simulator.reset());

const REQUEST = {
  model: "claude-sonnet-4-6",
  max_tokens: 100,
  messages: [{ role: "user" as const, content: "Hello" }],
};

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (thrown) {
    return thrown;
  }
  throw new Error("nothing was thrown");
}

test("a message is what the SDK expects, and names the model that was asked for", async () => {
  const message = await client.messages.create(REQUEST);
  expect(message.id).toStartWith("msg_sim_");
  expect(message._request_id).toStartWith("req_sim_");
  expect(message.model).toBe(REQUEST.model);
  expect(message.stop_reason).toBe("end_turn");
  expect(message.content).toMatchObject([
    { type: "text", text: expect.stringContaining("Sluice's demo upstream") },
  ]);
});

const CONTENTS = ["text", "tool_use", "thinking", "mixed"] as const;

test.each(CONTENTS)("a stream of %s adds up to the message without a stream", async (content) => {
  const usage = { input_tokens: 11, output_tokens: 22, cache_read_input_tokens: 33 };
  simulator.plan({ content, usage }, { repeat: true });
  const whole = await client.messages.create(REQUEST);
  const streamed = await client.messages.stream(REQUEST).finalMessage();
  const { id: _id, _request_id: _requestId, ...rest } = whole;
  const blocks = rest.content.map((block) =>
    block.type === "tool_use" ? { ...block, id: expect.stringContaining("toolu_sim_") } : block,
  );
  expect(streamed).toMatchObject({ ...rest, content: blocks });
  expect(streamed.usage).toMatchObject(usage);
});

test("thinking carries a signature and a tool call carries its input, through a stream cut anywhere", async () => {
  for (const chunk_bytes of [1, 7, 100]) {
    for (const crlf of [false, true]) {
      simulator.plan({ content: "mixed", chunk_bytes, crlf, pings: 5 });
      const { content } = await client.messages.stream(REQUEST).finalMessage();
      expect(content).toMatchObject([
        {
          type: "thinking",
          thinking: expect.stringContaining("🤔"),
          signature: expect.stringMatching(/.{20}/),
        },
        { type: "text", text: expect.stringContaining("世界! Grüße, olá, здравствуйте 👋🌊") },
        { type: "tool_use", name: "get_weather", input: { location: "Zürich 🏔️" } },
      ]);
    }
  }
});

test("text is cut into as many deltas as planned", async () => {
  const plans: readonly [Plan, number, string | number][] = [
    [{ text: "añb🌊c", events: 5 }, 5, "añb🌊c"],
    [{ text_bytes: 1000, events: 3 }, 3, 3000],
    [{ text: "one two" }, 2, "one two"],
    [{ text: "" }, 1, ""],
  ];
  for (const [plan, deltas, expected] of plans) {
    simulator.plan(plan);
    let seen = 0;
    const stream = client.messages.stream(REQUEST).on("text", () => {
      seen += 1;
    });
    const text = await stream.finalText();
    expect(seen).toBe(deltas);
    if (typeof expected === "string") expect(text).toBe(expected);
    else expect(Buffer.byteLength(text)).toBe(expected);
  }
});

test("tokens are counted the same way every time, and more for a longer request", async () => {
  const count = async (content: string): Promise<number> => {
    const { model } = REQUEST;
    const { input_tokens } = await client.messages.countTokens({
      model,
      messages: [{ role: "user", content }],
    });
    return input_tokens;
  };
  const short = await count("Hello");
  expect(await count("Hello")).toBe(short);
  expect(await count("Hello".repeat(100))).toBeGreaterThan(short + 100);
});

test("models are listed page by page and found by id", async () => {
  const listed: string[] = [];
  for await (const model of client.models.list({ limit: 2 })) listed.push(model.id);
  expect(listed).toContain("claude-opus-4-6");
  expect(listed).toContain("claude-haiku-4-5-20251001");
  expect(new Set(listed).size).toBe(listed.length);
  const [first = ""] = listed;
  expect((await client.models.retrieve(first)).type).toBe("model");
  const page = await client.models.list({ before_id: listed.at(-1) ?? "", limit: 2 });
  expect(page.data.map(({ id }) => id)).toEqual(listed.slice(-3, -1));
  expect(await failureOf(client.models.retrieve("gpt-5"))).toBeInstanceOf(Anthropic.NotFoundError);
});

const ERRORS = [
  [400, Anthropic.BadRequestError, "invalid_request_error"],
  [401, Anthropic.AuthenticationError, "authentication_error"],
  [403, Anthropic.PermissionDeniedError, "permission_error"],
  [404, Anthropic.NotFoundError, "not_found_error"],
  [413, Anthropic.APIError, "request_too_large"],
  [429, Anthropic.RateLimitError, "rate_limit_error"],
  [500, Anthropic.InternalServerError, "api_error"],
  [529, Anthropic.InternalServerError, "overloaded_error"],
] as const;

test.each(ERRORS)("a planned %i is the SDK's error of that status", async (status, kind, type) => {
  simulator.plan({ status, headers: { "retry-after": "7" }, error_message: "as planned" });
  const failure = await failureOf(client.messages.create(REQUEST));
  expect(failure).toBeInstanceOf(kind);
  expect(failure).toMatchObject({
    status,
    error: { type: "error", error: { type, message: "as planned" }, request_id: expect.any(String) },
  });
  expect(failure instanceof Anthropic.APIError && failure.headers?.get("retry-after")).toBe("7");
});

test("a key that is not let in is refused", async () => {
  const stranger = new Anthropic({ apiKey: "sk-bad", baseURL: simulator.url, maxRetries: 0 });
  expect(await failureOf(stranger.messages.create(REQUEST))).toBeInstanceOf(Anthropic.AuthenticationError);
});

test("an account that signed in may present a bearer token instead of a key", async () => {
  const signedIn = new Anthropic({ apiKey: null, authToken: "sk-good", baseURL: simulator.url });
  await signedIn.messages.create(REQUEST);
  expect(simulator.attempts()).toMatchObject([{ apiKey: "sk-good" }]);
});

test("an error in a stream reaches the SDK's caller", async () => {
  simulator.plan({ fault: { kind: "error_event", after_event: 2 } });
  const failure = await failureOf(client.messages.stream(REQUEST).finalMessage());
  expect(failure).toMatchObject({ error: { error: { type: "overloaded_error", message: "Overloaded" } } });
});
