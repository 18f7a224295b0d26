import { Elysia, type Static } from "elysia";
import type { AccountId, GroupId } from "#domain/ids.ts";
import { AccountChange, AccountCreate, AccountShown } from "#http/schemas/account.ts";
import { placeOfAccount } from "#snapshot/rows.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import { accountActions } from "./account-actions.ts";
import { checkedChange, checkedCreate } from "./account-checks.ts";
import { columnsOf, showAccount } from "./account-wire.ts";
import type { AdminOptions } from "./admin-options.ts";
import { done, type Outcome, outcomeOf, refused } from "./outcome.ts";
import { type Resource, resourceRoutes } from "./resource.ts";

const PATH = "/admin/accounts";

/** `/admin/accounts`: the upstream credentials that requests are sent with. */
export function accountRoutes(options: AdminOptions) {
  return new Elysia({ name: "admin.accounts" })
    .use(resourceRoutes(options, accountResource(options)))
    .use(accountActions(options));
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
    show: (row) => showAccount(row, options),
    list: (page) => accounts.list(page),
    get: (id) => accounts.get(id as AccountId),
    create: (body) => createAccount(options, body),
    change: (id, body) => changeAccount(options, id as AccountId, body),
    remove: (id) => accounts.delete(id as AccountId),
  } satisfies Resource<AccountRow, typeof AccountCreate, typeof AccountChange>;
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
  return created.ok ? done(showAccount(created.result, options)) : created;
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
  const changed = outcomeOf(written, "account");
  // What was known of the account was known of its old credential.
  if (changed.ok && (credentials !== undefined || body.status === "active")) {
    options.vitals.of(id).recover(options.clock.now());
    options.vitals.recoverModels(id);
  }
  return changed;
}
