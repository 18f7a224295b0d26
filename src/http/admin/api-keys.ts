import type { Static } from "elysia";
import type { ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { ApiKeyChange, ApiKeyCreate, ApiKeyCreated, ApiKeyShown } from "#http/schemas/api-key.ts";
import { newApiKey } from "#kernel/random.ts";
import type { ApiKeyRow } from "#storage/repositories/api-keys.ts";
import type { AdminOptions } from "./admin-options.ts";
import { done, type Outcome, outcomeOf } from "./outcome.ts";
import { type Resource, resourceRoutes } from "./resource.ts";
import { decimalOf, given, momentOf, msOf, nanosOf, timestampsOf } from "./wire.ts";

const KEY_HINT_LENGTH = 4;
const NAME_DEFAULT = "API key";

/** `/admin/api-keys`: the keys that clients call with. */
export function apiKeyRoutes(options: AdminOptions) {
  return resourceRoutes(options, apiKeyResource(options));
}

function apiKeyResource(options: AdminOptions) {
  const { apiKeys } = options.storage;
  return {
    kind: "api-key",
    noun: "API key",
    path: "/admin/api-keys",
    tag: "api-keys",
    schemas: { shown: ApiKeyShown, created: ApiKeyCreated, create: ApiKeyCreate, change: ApiKeyChange },
    example: { user_id: 1, group_id: 1, name: "laptop", quota_usd: "50", ip_allow: ["203.0.113.0/24"] },
    notes: {
      create: "Makes a key. This answer is the only one that holds it; only its keyed hash is stored.",
      change: "The key itself and its user stay as they are.",
      remove: "The key is refused from then on. What it used stays on record.",
    },
    show: showApiKey,
    list: (page) => apiKeys.list(page),
    get: (id) => apiKeys.get(id as ApiKeyId),
    create: (body) => createApiKey(options, body),
    change: async (id, body) => outcomeOf(await apiKeys.update(id as ApiKeyId, columnsOf(body)), "API key"),
    remove: (id) => apiKeys.delete(id as ApiKeyId),
  } satisfies Resource<ApiKeyRow, typeof ApiKeyCreate, typeof ApiKeyChange>;
}

async function createApiKey(
  { storage, vault }: AdminOptions,
  body: Static<typeof ApiKeyCreate>,
): Promise<Outcome<Static<typeof ApiKeyCreated>>> {
  const key = newApiKey();
  const written = await storage.apiKeys.create({
    ...columnsOf(body),
    userId: body.user_id as UserId,
    groupId: body.group_id as GroupId,
    name: body.name ?? NAME_DEFAULT,
    keyHash: vault.hashApiKey(key),
    keyHint: key.slice(-KEY_HINT_LENGTH),
  });
  const created = outcomeOf(written, "API key");
  return created.ok ? done({ ...showApiKey(created.result), key }) : created;
}

function columnsOf(body: Static<typeof ApiKeyChange>) {
  return given({
    name: body.name,
    groupId: body.group_id as GroupId | undefined,
    status: body.status,
    quotaNanos: nanosOf(body.quota_usd),
    quotaUsedNanos: nanosOf(body.quota_used_usd),
    rateLimit5hNanos: nanosOf(body.rate_limit_5h_usd),
    rateLimit1dNanos: nanosOf(body.rate_limit_1d_usd),
    rateLimit7dNanos: nanosOf(body.rate_limit_7d_usd),
    expiresAtMs: msOf(body.expires_at),
    ipAllow: body.ip_allow,
    ipDeny: body.ip_deny,
    traceHeader: body.trace_header,
  });
}

function showApiKey(row: ApiKeyRow): Static<typeof ApiKeyShown> {
  return {
    id: row.id,
    user_id: row.userId,
    group_id: row.groupId,
    name: row.name,
    key_hint: row.keyHint,
    status: row.status,
    quota_usd: decimalOf(row.quotaNanos),
    quota_used_usd: decimalOf(row.quotaUsedNanos),
    rate_limit_5h_usd: decimalOf(row.rateLimit5hNanos),
    rate_limit_1d_usd: decimalOf(row.rateLimit1dNanos),
    rate_limit_7d_usd: decimalOf(row.rateLimit7dNanos),
    expires_at: momentOf(row.expiresAtMs),
    ip_allow: row.ipAllow,
    ip_deny: row.ipDeny,
    trace_header: row.traceHeader,
    last_used_at: momentOf(row.lastUsedAtMs),
    ...timestampsOf(row),
  };
}
