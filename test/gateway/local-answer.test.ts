import { afterAll, expect, test } from "bun:test";
import Anthropic from "@anthropic-ai/sdk";
import { NO_USAGE } from "#domain/usage-record.ts";
import { localAnswer, localKindFor } from "#gateway/local-answer.ts";
import { MessageMeter } from "#protocols/anthropic/message-meter.ts";

const KINDS = ["warmup", "suggestion", "probe"] as const;
const MODEL = 'claude-haiku-4-5 "quoted" 世界';
const EXPECTED = {
  warmup: { text: "New Conversation", stop_reason: "end_turn" },
  suggestion: { text: "", stop_reason: "end_turn" },
  probe: { text: "#", stop_reason: "max_tokens" },
};

/** Answers every request locally, in the kind that its path names. */
const server = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: async (request) => {
    const kind = KINDS.find((name) => new URL(request.url).pathname.startsWith(`/${name}/`)) ?? "warmup";
    const { model, stream = false } = (await request.json()) as { model: string; stream?: boolean };
    const { status, headers, body } = localAnswer(kind, { model, stream });
    return new Response(body, { status, headers });
  },
});
afterAll(() => server.stop(true));

const clientFor = (kind: string) =>
  new Anthropic({ apiKey: "sk-any", baseURL: `http://127.0.0.1:${server.port}/${kind}`, maxRetries: 0 });
const REQUEST = { model: MODEL, max_tokens: 100, messages: [{ role: "user" as const, content: "Warmup" }] };

function isPlainlyLocal(message: Anthropic.Message, kind: (typeof KINDS)[number]): void {
  const { text, stop_reason } = EXPECTED[kind];
  expect(message).toMatchObject({
    type: "message",
    role: "assistant",
    model: MODEL,
    content: [{ type: "text", text }],
    stop_reason,
    stop_sequence: null,
  });
  expect(message.id).toMatch(new RegExp(`^msg_local_${kind}_[0-9a-f]{24}$`));
  const { cache_creation, ...counts } = message.usage;
  expect(Object.values({ ...counts, ...cache_creation }).filter((count) => count !== 0)).toEqual([]);
}

test.each(KINDS)("the official client reads a whole local %s, and sees that it is local", async (kind) => {
  const { data, response } = await clientFor(kind).messages.create(REQUEST).withResponse();
  isPlainlyLocal(data, kind);
  expect(response.headers.get("x-sluice-local")).toBe(kind);
  expect(response.headers.get("content-type")).toBe("application/json");
});

test.each(KINDS)("the official client reads a streamed local %s to the same message", async (kind) => {
  const stream = clientFor(kind).messages.stream(REQUEST);
  const { response } = await stream.withResponse();
  isPlainlyLocal(await stream.finalMessage(), kind);
  expect(response.headers.get("x-sluice-local")).toBe(kind);
  expect(response.headers.get("content-type")).toStartWith("text/event-stream");
});

test("a streamed answer is whole by the rules that upstreams' answers are held to, and costs nothing", () => {
  for (const kind of KINDS) {
    const reply = localAnswer(kind, { model: MODEL, stream: true });
    if (reply.kind !== "whole") throw new Error("all of it is there at once");
    const meter = new MessageMeter();
    meter.push(reply.body);
    meter.end();
    expect([meter.isWhole, meter.hasContent, meter.error]).toEqual([true, true, undefined]);
    expect(meter.usage).toEqual(NO_USAGE);
    expect(reply.usage).toEqual(NO_USAGE);
  }
});

test("the events of a stream come in the order the API gives them, each under its name", () => {
  const { body } = localAnswer("warmup", { model: MODEL, stream: true });
  const frames = new TextDecoder().decode(body as Uint8Array).split("\n\n");
  expect(frames.pop()).toBe("");
  const events = frames.map((frame) => {
    const [, name = "", data = ""] = /^event: (\w+)\ndata: (.+)$/.exec(frame) ?? [];
    expect(JSON.parse(data).type).toBe(name);
    return name;
  });
  expect(events).toEqual([
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
  ]);
});

test("no two local answers share an id or headers", () => {
  const replies = Array.from({ length: 1_000 }, () => localAnswer("probe", { model: MODEL, stream: false }));
  const ids = replies.map(({ body }) => JSON.parse(new TextDecoder().decode(body as Uint8Array)).id);
  expect(new Set(ids).size).toBe(1_000);
  expect(new Set(replies.map(({ headers }) => headers)).size).toBe(1_000);
});

const asked = {
  operation: "messages" as const,
  model: "claude-sonnet-4-6",
  maxTokens: 64,
  stream: false,
  housekeeping: undefined,
  client: undefined,
};
const claudeCode = { name: "claude-code" as const, version: "2.1.78" };
const probe = { model: "claude-haiku-4-5", maxTokens: 1 };
const willing = { interceptsWarmup: true };

type Asked = Parameters<typeof localKindFor>[1];

test.each<[string, Partial<Asked>, string | undefined]>([
  ["a warm-up of any client", { housekeeping: "warmup" }, "warmup"],
  ["a suggestion of any client", { housekeeping: "suggestion" }, "suggestion"],
  ["a streamed warm-up", { housekeeping: "warmup", stream: true }, "warmup"],
  ["a probe of Claude Code", { ...probe, client: claudeCode }, "probe"],
  [
    "a probe of Claude Code that is a warm-up",
    { ...probe, client: claudeCode, housekeeping: "warmup" },
    "probe",
  ],
  ["a warm-up of another client for one token", { ...probe, housekeeping: "warmup" }, "warmup"],
  ["one token for another client", probe, undefined],
  ["a streamed probe", { ...probe, client: claudeCode, stream: true }, undefined],
  ["a question of Claude Code", { client: claudeCode }, undefined],
  ["the token count of a warm-up", { housekeeping: "warmup", operation: "count-tokens" }, undefined],
])("an account that intercepts warm-ups is spared them and nothing else: %s", (_name, call, expected) => {
  expect(localKindFor(willing, { ...asked, ...call })).toBe(expected as never);
});

test("an account that does not intercept is sent everything", () => {
  for (const call of [{ housekeeping: "warmup" as const }, { ...probe, client: claudeCode }]) {
    expect(localKindFor({ interceptsWarmup: false }, { ...asked, ...call })).toBeUndefined();
  }
});
