import { Elysia, type Static } from "elysia";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { AccountChange, AccountCreate, AccountShown } from "#http/schemas/account.ts";
import { AccountStatus } from "#http/schemas/live-status.ts";
import { placeOfAccount } from "#snapshot/rows.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import { checkedChange, checkedCreate } from "./account-checks.ts";
import { reasonsNotSchedulable } from "./account-reasons.ts";
import type { AdminOptions } from "./admin-options.ts";
import { liveStatus } from "./live-status.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { done, type Outcome, outcomeOf, refused } from "./outcome.ts";
import { type Resource, resourceRoutes } from "./resource.ts";
import { given, momentOf, msOf, timestampsOf } from "./wire.ts";

const PATH = "/admin/accounts";

/** `/admin/accounts`: the upstream credentials that requests are sent with. */
export function accountRoutes(options: AdminOptions) {
  return new Elysia({ name: "admin.accounts" })
    .use(resourceRoutes(options, accountResource(options)))
    .use(statusRoute(options));
}

function accountResource(options: AdminOptions) {
  const { accounts } = options.storage;
  return {
    kind: "account",
    noun: "account",
    path: PATH,
    tag: "accounts",
    schemas: { shown: AccountShown, create: AccountCreate, change: AccountChange },
    example: {
      name: "Anthropic, team key",
      platform: "anthropic",
      type: "api_key",
      credentials: { api_key: "sk-ant-example" },
      group_ids: [1],
      concurrency: 3,
    },
    notes: {
      create: "The base URL must be allowed by the outbound policy.",
      change: "`group_ids` replaces all of them. Credentials are replaced as a whole.",
      remove: "Requests that are under way are finished. What it served stays on record.",
    },
    show: showAccount,
    list: (page) => accounts.list(page),
    get: (id) => accounts.get(id as AccountId),
    create: (body) => createAccount(options, body),
    change: (id, body) => changeAccount(options, id as AccountId, body),
    remove: (id) => accounts.delete(id as AccountId),
  } satisfies Resource<AccountRow, typeof AccountCreate, typeof AccountChange>;
}

function statusRoute(options: AdminOptions) {
  const { storage, clock } = options;
  const operation = adminOperations(options);
  return new Elysia({ prefix: PATH }).get(
    "/:id/status",
    ...operation(
      {
        tag: "accounts",
        summary: "Show how busy an account is and why it is not used",
        description: "Live, over all threads.",
        hasId: true,
        success: { status: 200, description: "As of now", schema: AccountStatus },
      },
      async ({ id }) => {
        const row = await storage.accounts.get(id as AccountId);
        if (row === undefined) return { kind: "not-found" };
        const reasons = await reasonsNotSchedulable(row, options, clock.now());
        const live = liveStatus(options, { kind: "account", id }, row);
        return respondJson(200, { ...live, schedulable: reasons.length === 0, reasons });
      },
    ),
  );
}

async function createAccount(
  options: AdminOptions,
  body: Static<typeof AccountCreate>,
): Promise<Outcome<Static<typeof AccountShown>>> {
  const checked = await checkedCreate(body, options);
  if (!checked.ok) return checked;
  const { storage, vault } = options;
  const id = await storage.accounts.nextId();
  const written = await storage.accounts.create({
    ...columnsOf(checked.result),
    id,
    name: body.name,
    platform: body.platform,
    type: body.type,
    credentialsSealed: vault.seal(JSON.stringify(body.credentials), placeOfAccount(id)),
    groupIds: (body.group_ids ?? []) as GroupId[],
  });
  const created = outcomeOf(written, "account");
  return created.ok ? done(showAccount(created.result)) : created;
}

async function changeAccount(
  options: AdminOptions,
  id: AccountId,
  body: Static<typeof AccountChange>,
): Promise<Outcome<AccountRow>> {
  const { storage, vault } = options;
  const row = await storage.accounts.get(id);
  if (row === undefined) return refused({ kind: "not-found" });
  const checked = await checkedChange(body, row, options);
  if (!checked.ok) return checked;
  const { credentials, group_ids } = checked.result;
  const written = await storage.accounts.update(id, {
    ...columnsOf(checked.result),
    ...(group_ids && { groupIds: group_ids as GroupId[] }),
    ...(credentials && { credentialsSealed: vault.seal(JSON.stringify(credentials), placeOfAccount(id)) }),
  });
  return outcomeOf(written, "account");
}

/** A status that an operator sets has no reason of the gateway's any more. */
function columnsOf(body: Omit<Static<typeof AccountChange>, "credentials" | "group_ids">) {
  return given({
    name: body.name,
    status: body.status,
    statusReason: body.status === undefined ? undefined : null,
    schedulable: body.schedulable,
    baseUrl: body.base_url,
    concurrency: body.concurrency,
    priority: body.priority,
    proxyId: body.proxy_id,
    modelMapping: body.model_mapping,
    interceptWarmup: body.intercept_warmup,
    baseRpm: body.base_rpm,
    userMessageQueue: body.user_message_queue,
    expiresAtMs: msOf(body.expires_at),
  });
}

function showAccount(row: AccountRow): Static<typeof AccountShown> {
  return {
    id: row.id,
    name: row.name,
    platform: row.platform,
    type: row.type,
    credentials: { type: row.type, set: true },
    status: row.status,
    status_reason: row.statusReason,
    schedulable: row.schedulable,
    base_url: row.baseUrl,
    group_ids: [...row.groupIds],
    concurrency: row.concurrency,
    priority: row.priority,
    proxy_id: row.proxyId,
    model_mapping: row.modelMapping,
    intercept_warmup: row.interceptWarmup,
    base_rpm: row.baseRpm,
    user_message_queue: row.userMessageQueue,
    expires_at: momentOf(row.expiresAtMs),
    ...timestampsOf(row),
  };
}
