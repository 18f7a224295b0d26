import type { Group } from "#domain/group.ts";
import type { GroupId } from "#domain/ids.ts";
import type { RuntimeSettings } from "#domain/settings.ts";
import type { ParsedCall } from "#gateway/call-stages.ts";
import { Fault } from "#kernel/fault.ts";
import { headerOf } from "#kernel/headers.ts";
import { claudeCodeVersion } from "#protocols/anthropic/claude-code.ts";
import { isProbe } from "#protocols/anthropic/housekeeping.ts";

/** Headers that Claude Code sends with every request, besides its user agent. */
const CLAUDE_CODE_HEADERS = ["x-app", "anthropic-beta", "anthropic-version"] as const;
const PACKAGE = "@anthropic-ai/claude-code";

/** A client that is known by its marks. */
interface KnownClient {
  readonly name: "claude-code";
  /** `x.y.z`. */
  readonly version: string;
}

/** Stamp of the client stage. */
export interface Checked {
  /** Undefined: any other client. */
  readonly client: KnownClient | undefined;
  /** Whose accounts serve the request: the key's group, or the one that stands in for it. */
  readonly servingGroup: Group;
}

type CheckableCall = Pick<
  ParsedCall,
  "operation" | "headers" | "model" | "maxTokens" | "stream" | "isClaudeCodeBody" | "principal"
>;

interface ClientRules {
  readonly settings: () => RuntimeSettings;
  readonly groups: { group(id: GroupId): Group | undefined };
}

/**
 * Tells which client is calling, and applies the rules that depend on it: versions of Claude Code that are not
 * served, and groups that serve nothing else.
 *
 * @throws Fault `client.version_too_old`, `client.version_too_new`, `client.claude_code_only`.
 */
export function checkClient<C extends CheckableCall>(
  call: C,
  { settings, groups }: ClientRules,
): C & Checked {
  const client = detectClaudeCode(call);
  if (client !== undefined && call.operation === "messages") checkVersion(client.version, settings());
  const { group } = call.principal;
  const servingGroup = client === undefined ? openGroup(group, groups) : group;
  return Object.assign(call, { client, servingGroup });
}

/**
 * Claude Code is known by its user agent together with its other headers and the marks in its body. Two of its
 * requests carry no such marks: the probe for a single token, and token counts, because that operation has no
 * `metadata` (https://platform.claude.com/docs/en/api/messages-count-tokens).
 */
function detectClaudeCode(call: CheckableCall): KnownClient | undefined {
  const version = claudeCodeVersion(headerOf(call.headers, "user-agent"));
  if (version === undefined) return undefined;
  const isCount = call.operation === "count-tokens";
  const isGenuine =
    (!isCount && isProbe(call)) ||
    ((isCount || call.isClaudeCodeBody) && CLAUDE_CODE_HEADERS.every((name) => headerOf(call.headers, name)));
  return isGenuine ? { name: "claude-code", version } : undefined;
}

function checkVersion(
  version: string,
  { claude_code_version_min: min, claude_code_version_max: max }: RuntimeSettings,
): void {
  if (min !== "" && compareVersions(version, min) < 0) {
    throw new Fault("client.version_too_old", {
      publicMessage: `Claude Code ${version} is older than ${min}, the oldest version that is served here. Please update it: npm update -g ${PACKAGE}`,
    });
  }
  if (max !== "" && compareVersions(version, max) > 0) {
    throw new Fault("client.version_too_new", {
      publicMessage: `Claude Code ${version} is newer than ${max}, the newest version that is served here. Please go back to it: npm install -g ${PACKAGE}@${max} and set CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1, so that it does not update itself`,
    });
  }
}

/** Below 0 when `a` is older than `b`, above 0 when it is newer. Numbers count, not letters: 2.10.0 is newer than 2.9.0. */
function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  return left[0] - right[0] || left[1] - right[1] || left[2] - right[2];
}

function partsOf(version: string): readonly [number, number, number] {
  const [major, minor, patch] = version.split(".");
  return [Number(major), Number(minor), Number(patch)];
}

/** The first group, from this one along its fallbacks, that serves every client. */
function openGroup(first: Group, groups: ClientRules["groups"]): Group {
  if (!first.claudeCodeOnly) return first;
  const seen = new Set<GroupId>();
  let group: Group | undefined = first;
  while (group?.claudeCodeOnly && !seen.has(group.id)) {
    seen.add(group.id);
    group = group.fallbackGroupId === undefined ? undefined : groups.group(group.fallbackGroupId);
    if (group?.status !== "active") group = undefined;
  }
  if (group === undefined || group.claudeCodeOnly) throw new Fault("client.claude_code_only");
  return group;
}
