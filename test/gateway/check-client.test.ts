import { expect, test } from "bun:test";
import type { Group } from "#domain/group.ts";
import type { ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { DEFAULT_SETTINGS, type RuntimeSettings } from "#domain/settings.ts";
import { checkClient } from "#gateway/stages/check-client.ts";
import { Fault } from "#kernel/fault.ts";
import { recordOf } from "#kernel/headers.ts";
import { groupWith } from "../accounts/pool.ts";

const GENUINE = {
  "user-agent": "claude-cli/2.1.78 (external, cli)",
  "x-app": "cli",
  "anthropic-beta": "claude-code-20250219",
  "anthropic-version": "2023-06-01",
};
const PROBE = { model: "claude-haiku-4-5", maxTokens: 1, isClaudeCodeBody: false };

const groupOf = (id: number, rest: Partial<Group> = {}): Group =>
  groupWith({ id: id as GroupId, name: `group ${id}`, ...rest });
const locked = (id: number, fallback?: number) =>
  groupOf(id, { claudeCodeOnly: true, fallbackGroupId: fallback as GroupId | undefined });

interface Case {
  readonly headers?: Record<string, string>;
  readonly call?: Partial<typeof PROBE> & { stream?: boolean; operation?: "messages" | "count-tokens" };
  readonly groups?: readonly [Group, ...Group[]];
  readonly settings?: Partial<RuntimeSettings>;
}

/** Checks one call; its key belongs to the first of the groups. */
function check({ headers = GENUINE, call = {}, groups = [groupOf(1)], settings = {} }: Case) {
  const principal = {
    userId: 1 as UserId,
    apiKeyId: 1 as ApiKeyId,
    group: groups[0],
    concurrency: 0,
    hasTraceHeader: false,
    rateMultiplierNanos: 1_000_000_000n,
  };
  const rooms = {
    settings: () => ({ ...DEFAULT_SETTINGS, ...settings }),
    groups: { group: (id: GroupId) => groups.find((group) => group.id === id) },
  };
  const asked = { operation: "messages" as const, model: "claude-sonnet-4-6", maxTokens: 64, stream: false };
  return checkClient(
    { ...asked, isClaudeCodeBody: true, principal, ...call, headers: recordOf(new Headers(headers)) },
    rooms,
  );
}

function faultOf(wrong: Case): Fault {
  try {
    check(wrong);
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
  }
  throw new Error("no fault was raised");
}

const without = (name: string) =>
  Object.fromEntries(Object.entries(GENUINE).filter(([header]) => header !== name));
const client = { name: "claude-code" as const, version: "2.1.78" };

test.each<[string, Case, typeof client | undefined]>([
  ["all the marks", {}, client],
  ["other letters in the user agent", { headers: { ...GENUINE, "user-agent": "Claude-CLI/2.1.78" } }, client],
  ["another user agent", { headers: { ...GENUINE, "user-agent": "curl/8.0" } }, undefined],
  ["no user agent", { headers: without("user-agent") }, undefined],
  ["no x-app", { headers: without("x-app") }, undefined],
  ["no anthropic-beta", { headers: without("anthropic-beta") }, undefined],
  ["no anthropic-version", { headers: without("anthropic-version") }, undefined],
  ["an empty header", { headers: { ...GENUINE, "x-app": " " } }, undefined],
  ["another body", { call: { isClaudeCodeBody: false } }, undefined],
  ["a probe without other marks", { call: PROBE, headers: { "user-agent": "claude-cli/2.1.78" } }, client],
  ["a probe of another client", { call: PROBE, headers: { "user-agent": "curl/8.0" } }, undefined],
  ["a streamed probe", { call: { ...PROBE, stream: true } }, undefined],
  [
    "a token count, which has no metadata",
    { call: { operation: "count-tokens", isClaudeCodeBody: false } },
    client,
  ],
  [
    "a token count without the headers",
    { call: { ...PROBE, operation: "count-tokens" }, headers: { "user-agent": "claude-cli/2.1.78" } },
    undefined,
  ],
])("Claude Code is known by all its marks: %s", (_name, given, expected) => {
  expect(check(given).client).toEqual(expected);
});

test.each<[string, string, string]>([
  ["", "", "2.1.78"],
  ["2.1.78", "2.1.78", "2.1.78"],
  ["2.1.9", "2.1.100", "2.1.78"],
  ["1.99.99", "3.0.0", "2.1.78"],
  ["2.1.78", "", "2.1.78"],
  ["", "2.1.78", "2.1.78"],
])("between %p and %p, version %s is served", (min, max, version) => {
  const settings = { claude_code_version_min: min, claude_code_version_max: max };
  expect(check({ settings }).client?.version).toBe(version);
});

test.each(["2.1.79", "2.1.100", "2.2.0", "10.0.0"])("a version below %s is told how to update", (min) => {
  const fault = faultOf({ settings: { claude_code_version_min: min } });
  expect([fault.code, fault.status]).toEqual(["client.version_too_old", 400]);
  for (const named of ["2.1.78", min, "npm update -g @anthropic-ai/claude-code"]) {
    expect(fault.publicMessage).toContain(named);
  }
});

test.each(["2.1.77", "2.1.9", "2.0.100", "1.9.9"])("a version above %s is told how to go back", (max) => {
  const fault = faultOf({ settings: { claude_code_version_max: max } });
  expect([fault.code, fault.status]).toEqual(["client.version_too_new", 400]);
  const command = `npm install -g @anthropic-ai/claude-code@${max}`;
  for (const named of ["2.1.78", max, command, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1"]) {
    expect(fault.publicMessage).toContain(named);
  }
});

test("version bounds hold for probes too, but neither for token counts nor for other clients", () => {
  const settings = { claude_code_version_min: "9.0.0" };
  expect(faultOf({ settings, call: PROBE }).code).toBe("client.version_too_old");
  expect(check({ settings, call: { operation: "count-tokens" } }).client).toEqual(client);
  expect(check({ settings, headers: without("x-app") }).client).toBeUndefined();
});

const OTHER = { headers: { "user-agent": "curl/8.0" } };

test.each<[string, readonly [Group, ...Group[]], number]>([
  ["an open group serves it itself", [groupOf(1)], 1],
  [
    "an open group's fallback is not for this",
    [groupOf(1, { fallbackGroupId: 2 as GroupId }), groupOf(2)],
    1,
  ],
  ["a group for Claude Code only has it served by its fallback", [locked(1, 2), groupOf(2)], 2],
  ["fallbacks are followed to the first open one", [locked(1, 2), locked(2, 3), groupOf(3), groupOf(4)], 3],
])("another client: %s", (_name, groups, expected) => {
  expect(Number(check({ ...OTHER, groups }).servingGroup.id)).toBe(expected);
});

test.each<[string, readonly [Group, ...Group[]]]>([
  ["no fallback", [locked(1)]],
  ["a fallback that is gone", [locked(1, 2)]],
  ["a disabled fallback", [locked(1, 2), groupOf(2, { status: "disabled" })]],
  ["a disabled group on the way", [locked(1, 2), { ...locked(2, 3), status: "disabled" }, groupOf(3)]],
  ["a fallback that is itself", [locked(1, 1)]],
  ["fallbacks that go round", [locked(1, 2), locked(2, 3), locked(3, 2)]],
])("another client is refused by a group for Claude Code only that has %s", (_name, groups) => {
  const fault = faultOf({ ...OTHER, groups });
  expect([fault.code, fault.status]).toEqual(["client.claude_code_only", 403]);
});

test("Claude Code is served by the group that is its own, whatever fallback that has", () => {
  const own = locked(1, 2);
  expect(check({ groups: [own, groupOf(2)] }).servingGroup).toBe(own);
});

test("a key stays with its own group even when another one serves it", () => {
  const { principal } = check({ ...OTHER, groups: [locked(1, 2), groupOf(2)] });
  expect(Number(principal.group.id)).toBe(1);
});
