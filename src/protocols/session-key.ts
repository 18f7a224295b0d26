import { hashOfTexts, isText, type Text } from "./body-scan/encoded-text.ts";
import type { SessionSeed } from "./call-facts.ts";

/** The parts of a Messages body that tell one conversation from another. */
export interface Conversation {
  readonly metadataUserId: string | undefined;
  readonly system: unknown;
  readonly messages: readonly unknown[];
}

/** Form of Claude Code's `metadata.user_id` before version 2.1.78. */
const LEGACY_USER_ID = /^user_[a-fA-F0-9]{64}_account_[a-fA-F0-9-]*_session_([a-fA-F0-9-]{36})$/;
/** Longest session id that is kept as it is, in characters; a longer one is hashed. */
const NAMED_LENGTH_MAX = 128;
const PRODUCT_TOKEN = /([A-Za-z0-9._-]+)\/[A-Za-z0-9._-]+/g;
const VERSION = /\bv?\d+(\.\d+){1,3}\b/g;

/**
 * Which conversation a request belongs to, always within its API key: the session id that the client
 * names, else a hash of what the client marks for the prompt cache, else a hash of what stays the same
 * while a conversation grows (system prompt and first user message).
 */
export function sessionKey(conversation: Conversation, seed: SessionSeed): string {
  const named = sessionIdOf(conversation.metadataUserId) ?? trimmed(seed.sessionId);
  if (named !== undefined) {
    return `${seed.apiKeyId}:${named.length > NAMED_LENGTH_MAX ? digest(named) : named}`;
  }
  const cached = cacheableText(conversation);
  const isEmpty = cached.every((text) => text.length === 0);
  return `${seed.apiKeyId}:${digest(isEmpty ? stableText(conversation, seed) : cached)}`;
}

/** xxHash64 (seed 0) of the UTF-8 bytes of a text, or of several in a row, in base 36. */
export function digest(text: string | readonly Text[]): string {
  return hashOfTexts(typeof text === "string" ? [text] : text).toString(36);
}

/** The session id within `metadata.user_id`, in either form that Claude Code writes. */
export function sessionIdOf(userId: string | undefined): string | undefined {
  if (userId === undefined) return undefined;
  const text = userId.trim();
  if (!text.startsWith("{")) return LEGACY_USER_ID.exec(text)?.[1];
  const { device_id: device, session_id: session } = readObject(text);
  return typeof device === "string" && device !== "" && typeof session === "string"
    ? trimmed(session)
    : undefined;
}

/** User agents whose normal form is remembered: clients send the same one with every request. */
const KNOWN_AGENTS_MAX = 1_000;
const knownAgents = new Map<string, string>();

/** Product names of a user agent without their versions, so that an update does not end a conversation. */
export function normalizedUserAgent(userAgent: string): string {
  const known = knownAgents.get(userAgent);
  if (known !== undefined) return known;
  const normal = normalize(userAgent);
  if (knownAgents.size >= KNOWN_AGENTS_MAX) knownAgents.clear();
  knownAgents.set(userAgent, normal);
  return normal;
}

function normalize(userAgent: string): string {
  const products = [...userAgent.matchAll(PRODUCT_TOKEN)].map(([, name = ""]) => name.toLowerCase());
  if (products.length > 0) return [...new Set(products)].sort().join("+");
  return collapse(collapse(userAgent.toLowerCase()).replaceAll(VERSION, ""));
}

/** The text of the first message with a cache mark, else that of the marked system blocks. */
function cacheableText({ system, messages }: Conversation): readonly Text[] {
  const marked = messages.find((message) => blocksOf(message).some(isCacheable));
  if (marked !== undefined) return textOf(marked);
  return Array.isArray(system) ? system.filter(isCacheable).map(blockText) : [];
}

function stableText(
  { system, messages }: Conversation,
  { clientAddress, userAgent, apiKeyId }: SessionSeed,
): readonly Text[] {
  const first = messages.find((message) => field(message, "role") === "user");
  const client = `${clientAddress ?? ""}:${normalizedUserAgent(userAgent ?? "")}:${apiKeyId}|`;
  return [client, ...contentText(system), ...(first === undefined ? [] : textOf(first))];
}

function textOf(message: unknown): readonly Text[] {
  return contentText(field(message, "content"));
}

function contentText(content: unknown): readonly Text[] {
  if (isText(content)) return [content];
  return Array.isArray(content) ? content.map(blockText) : [];
}

function blockText(block: unknown): Text {
  const text = field(block, "text");
  const type = field(block, "type");
  return isText(text) && (type === undefined || type === "text") ? text : "";
}

function blocksOf(message: unknown): readonly unknown[] {
  const content = field(message, "content");
  return Array.isArray(content) ? content : [];
}

function isCacheable(block: unknown): boolean {
  return field(field(block, "cache_control"), "type") === "ephemeral";
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function readObject(text: string): Record<string, unknown> {
  try {
    const tree: unknown = JSON.parse(text);
    return typeof tree === "object" && tree !== null ? (tree as Record<string, unknown>) : {};
  } catch {
    // Some other client's free text.
    return {};
  }
}

function trimmed(text: string | undefined): string | undefined {
  const kept = text?.trim();
  return kept === "" ? undefined : kept;
}

function collapse(text: string): string {
  return text.replaceAll(/\s+/g, " ").trim();
}
