import { Elysia, type Static } from "elysia";
import type { ApiKeyId, GroupId, UserId } from "#domain/ids.ts";
import { ApiKeyChange, ApiKeyCreate, ApiKeyCreated, ApiKeyShown } from "#http/schemas/api-key.ts";
import { newApiKey } from "#kernel/random.ts";
import type { ApiKeyRow } from "#storage/repositories/api-keys.ts";
import type { AdminOptions } from "./admin-options.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { done, type Outcome, outcomeOf } from "./outcome.ts";
import { announce, type Resource, resourceRoutes } from "./resource.ts";
import { shownWindow } from "./shown-window.ts";
import { decimalOf, given, momentOf, msOf, nanosOf, timestampsOf } from "./wire.ts";

const PATH = "/admin/api-keys";
const TAG = "api-keys";
const KEY_HINT_LENGTH = 4;
const NAME_DEFAULT = "API key";

const SHOWN_EXAMPLE = {
  id: 1,
  user_id: 1,
  group_id: 1,
  name: "laptop",
  key_hint: "wxyz",
  status: "active",
  quota_usd: "50",
  quota_used_usd: "12.5",
  rate_limit_5h_usd: "5",
  rate_limit_1d_usd: null,
  rate_limit_7d_usd: null,
  usage_5h_usd: "0",
  reset_5h_at: null,
  usage_1d_usd: "0",
  reset_1d_at: null,
  usage_7d_usd: "0",
  reset_7d_at: null,
  expires_at: null,
  ip_allow: ["203.0.113.0/24"],
  ip_deny: [],
  trace_header: false,
  last_used_at: "2027-01-31T00:00:00.000Z",
  created_at: "2027-01-01T00:00:00.000Z",
  updated_at: "2027-01-31T00:00:00.000Z",
} satisfies Static<typeof ApiKeyShown>;

/** `/admin/api-keys`: the keys that clients call with. */
export function apiKeyRoutes(options: AdminOptions) {
  return new Elysia({ name: "admin.api-keys" })
    .use(resourceRoutes(options, apiKeyResource(options)))
    .use(resetRoute(options));
}

function apiKeyResource(options: AdminOptions) {
  const { storage, clock } = options;
  const { apiKeys } = storage;
  return {
    kind: "api-key",
    noun: "API key",
    path: PATH,
    tag: TAG,
    schemas: { shown: ApiKeyShown, created: ApiKeyCreated, create: ApiKeyCreate, change: ApiKeyChange },
    example: { user_id: 1, group_id: 1, name: "laptop", quota_usd: "50", ip_allow: ["203.0.113.0/24"] },
    notes: {
      create: "Makes a key. This answer is the only one that holds it; only its keyed hash is stored.",
      change: "The key itself and its user stay as they are.",
      remove: "The key is refused from then on. What it used stays on record.",
    },
    show: (row) => showApiKey(row, clock.now()),
    list: (page) => apiKeys.list(page),
    get: (id) => apiKeys.get(id as ApiKeyId),
    create: (body) => createApiKey(options, body),
    change: async (id, body) => outcomeOf(await apiKeys.update(id as ApiKeyId, columnsOf(body)), "API key"),
    remove: (id) => apiKeys.delete(id as ApiKeyId),
  } satisfies Resource<ApiKeyRow, typeof ApiKeyCreate, typeof ApiKeyChange>;
}

function resetRoute(options: AdminOptions) {
  const { storage, clock } = options;
  const operation = adminOperations(options);
  return new Elysia({ prefix: PATH }).post(
    "/:id/reset-windows",
    ...operation(
      {
        tag: TAG,
        summary: "Reset the windows of an API key",
        description:
          "Nothing counts as used any more; each window begins anew with the next cost. The quota stays as it is.",
        hasId: true,
        success: {
          status: 200,
          description: "The API key as it is now",
          schema: ApiKeyShown,
          example: SHOWN_EXAMPLE,
        },
      },
      async ({ id }) => {
        const reset = outcomeOf(await storage.apiKeys.resetWindows(id as ApiKeyId), "API key");
        if (!reset.ok) return reset.problem;
        await announce(options, { kind: "api-key", id });
        return respondJson(200, showApiKey(reset.result, clock.now()));
      },
    ),
  );
}

async function createApiKey(
  { storage, vault, clock }: AdminOptions,
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
  return created.ok ? done({ ...showApiKey(created.result, clock.now()), key }) : created;
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

function showApiKey(row: ApiKeyRow, nowMs: number): Static<typeof ApiKeyShown> {
  const in5h = shownWindow(row, "5h", nowMs);
  const in1d = shownWindow(row, "1d", nowMs);
  const in7d = shownWindow(row, "7d", nowMs);
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
    usage_5h_usd: in5h.usedUsd,
    reset_5h_at: in5h.resetAt,
    usage_1d_usd: in1d.usedUsd,
    reset_1d_at: in1d.resetAt,
    usage_7d_usd: in7d.usedUsd,
    reset_7d_at: in7d.resetAt,
    expires_at: momentOf(row.expiresAtMs),
    ip_allow: row.ipAllow,
    ip_deny: row.ipDeny,
    trace_header: row.traceHeader,
    last_used_at: momentOf(row.lastUsedAtMs),
    ...timestampsOf(row),
  };
}
