import { expect, test } from "bun:test";
import { digest, normalizedUserAgent, sessionIdOf, sessionKey } from "#protocols/session-key.ts";

const seed = {
  apiKeyId: 7,
  clientAddress: "1.2.3.4",
  userAgent: "claude-cli/2.1.0 (external)",
  sessionId: undefined,
};
const user = (content: unknown) => ({ role: "user", content });
const talk = (messages: readonly unknown[], rest: object = {}) => ({
  metadataUserId: undefined,
  system: undefined,
  messages,
  ...rest,
});

test("digests equal the known vectors", () => {
  expect(digest("a")).toBe("374uz2vg91isb");
  expect(digest("hello")).toBe("l8a8u0vgmher");
  expect(sessionKey(talk([user("hi")], { system: "You are helpful" }), seed)).toBe("7:nvy7zk6jh14a");
});

test("a session id in the metadata wins, in both of its forms", () => {
  const session = "0f6c2d1e-1111-4222-8333-444455556666";
  const legacy = `user_${"a".repeat(64)}_account__session_${session}`;
  const json = JSON.stringify({ device_id: "d", account_uuid: "", session_id: session });
  expect([
    sessionIdOf(legacy),
    sessionIdOf(json),
    sessionIdOf("alice"),
    sessionIdOf('{"device_id":"d"}'),
  ]).toEqual([session, session, undefined, undefined]);
  expect(sessionKey(talk([], { metadataUserId: json }), { ...seed, sessionId: "other" })).toBe(
    `7:${session}`,
  );
});

test("the session header counts as a session id", () => {
  expect(sessionKey(talk([user("x")]), { ...seed, sessionId: " abc " })).toBe("7:abc");
});

test("two keys never share a session, whatever they send", () => {
  for (const conversation of [
    talk([], { metadataUserId: '{"device_id":"d","session_id":"s"}' }),
    talk([user("x")]),
  ]) {
    const keys = [1, 2].map((apiKeyId) => sessionKey(conversation, { ...seed, apiKeyId }));
    expect(new Set(keys).size).toBe(2);
  }
});

test("a conversation keeps its key while it grows", () => {
  const turns = [user("first"), { role: "assistant", content: "answer" }, user("second"), user("third")];
  const keys = [1, 2, 3, 4].map((length) => sessionKey(talk(turns.slice(0, length), { system: "s" }), seed));
  expect(new Set(keys).size).toBe(1);
});

test("what is marked for the prompt cache decides before the rest", () => {
  const marked = { type: "text", text: "cached", cache_control: { type: "ephemeral" } };
  const inSystem = (tail: string) => talk([user(tail)], { system: [marked, { type: "text", text: tail }] });
  expect(sessionKey(inSystem("a"), seed)).toBe(sessionKey(inSystem("b"), seed));
  const inMessage = talk([user([marked, { type: "text", text: " and more" }]), user("later")]);
  expect(sessionKey(inMessage, seed)).toBe(`7:${digest("cached and more")}`);
});

test("an update of the client does not end a conversation", () => {
  expect(normalizedUserAgent("claude-cli/1.0.0 Node/20.1")).toBe(
    normalizedUserAgent("claude-cli/2.0.0 node/22"),
  );
  expect(normalizedUserAgent("Some Client v1.2.3")).toBe("some client");
});

test("an endless session id does not become an endless key", () => {
  expect(sessionKey(talk([]), { ...seed, sessionId: "x".repeat(10_000) }).length).toBeLessThan(40);
});
