import { Elysia, type Static, t } from "elysia";
import type { AccountId } from "#domain/ids.ts";
import { AccountShown } from "#http/schemas/account.ts";
import { AccountEventShown } from "#http/schemas/account-event.ts";
import { pageOf } from "#http/schemas/admin-detail.ts";
import { CLOSED } from "#http/schemas/fields.ts";
import { AccountStatus } from "#http/schemas/live-status.ts";
import type { AccountEventRow } from "#storage/repositories/account-events.ts";
import type { AccountRow } from "#storage/repositories/accounts.ts";
import { reasonsNotSchedulable } from "./account-reasons.ts";
import { accountVitals } from "./account-vitals.ts";
import { showAccount } from "./account-wire.ts";
import type { AdminOptions } from "./admin-options.ts";
import { liveStatus } from "./live-status.ts";
import { adminOperations, respondJson } from "./operation.ts";
import { PAGE_QUERY, respondPage } from "./page-request.ts";
import { announce } from "./resource.ts";
import { momentOf } from "./wire.ts";

const TAG = "accounts";
const EventsQuery = t.Object(PAGE_QUERY, CLOSED);

const EVENT_EXAMPLE = {
  id: 1,
  kind: "cooled",
  reason: "429 with retry-after: 5",
  cooling: "rate_limited",
  model: null,
  until: "2027-01-31T00:00:05.000Z",
  status: 429,
  request_id: "req_0197f5a0",
  at: "2027-01-31T00:00:00.000Z",
} satisfies Static<typeof AccountEventShown>;

/** What can be seen and done of one account besides its fields. */
export function accountActions(options: AdminOptions) {
  return new Elysia({ prefix: "/admin/accounts" })
    .use(statusRoute(options))
    .use(eventsRoute(options))
    .use(recoverRoute(options));
}

function statusRoute(options: AdminOptions) {
  const { storage, clock } = options;
  const operation = adminOperations(options);
  return new Elysia().get(
    "/:id/status",
    ...operation(
      {
        tag: TAG,
        summary: "Show how busy an account is and why it is not used",
        description: "Live, over all threads.",
        hasId: true,
        success: { status: 200, description: "As of now", schema: AccountStatus },
      },
      async ({ id }) => {
        const row = await storage.accounts.get(id as AccountId);
        if (row === undefined) return { kind: "not-found" };
        const nowMs = clock.now();
        const vitals = accountVitals(row, options.vitals, nowMs);
        const reasons = await reasonsNotSchedulable(row, vitals, options, nowMs);
        const live = { ...(await liveStatus(options, { kind: "account", id }, row)), ...vitals };
        return respondJson(200, { ...live, schedulable: reasons.length === 0, reasons });
      },
    ),
  );
}

function eventsRoute(options: AdminOptions) {
  const { accounts, accountEvents } = options.storage;
  const operation = adminOperations(options);
  return new Elysia().get(
    "/:id/events",
    ...operation(
      {
        tag: TAG,
        summary: "List what has happened to an account",
        description:
          "Every change of its state with its reason, one page, newest first. The newest 1,000 are kept, also when the account is deleted.",
        hasId: true,
        query: EventsQuery,
        success: {
          status: 200,
          description: "A page",
          schema: pageOf(AccountEventShown),
          example: { data: [EVENT_EXAMPLE], next_cursor: null },
        },
      },
      async ({ id, query }) => {
        const account = id as AccountId;
        const isKnown =
          (await accounts.get(account)) !== undefined ||
          (await accountEvents.list(account, { limit: 1 })).rows.length > 0;
        if (!isKnown) return { kind: "not-found" };
        return await respondPage(query, (page) => accountEvents.list(account, page), showEvent);
      },
    ),
  );
}

function recoverRoute(options: AdminOptions) {
  const operation = adminOperations(options);
  return new Elysia().post(
    "/:id/recover",
    ...operation(
      {
        tag: TAG,
        summary: "Put an account back into use",
        description:
          "Ends its error and everything it rests for, for single models too, and forgets its failures. Disabled accounts stay disabled.",
        hasId: true,
        success: { status: 200, description: "The account as it is now", schema: AccountShown },
      },
      async ({ id }) => {
        const row = await recover(options, id as AccountId);
        return row === undefined ? { kind: "not-found" } : respondJson(200, showAccount(row, options));
      },
    ),
  );
}

/** The account after it has been put back into use; undefined when there is none. */
async function recover(options: AdminOptions, id: AccountId): Promise<AccountRow | undefined> {
  const { storage, vitals, clock } = options;
  if ((await storage.accounts.get(id)) === undefined) return undefined;
  await storage.accountEvents.append({
    accountId: id,
    kind: "recovered",
    reason: "an operator has put it back into use",
    cooling: undefined,
    model: undefined,
    untilMs: undefined,
    status: undefined,
    requestId: undefined,
    atMs: clock.now(),
  });
  vitals.of(id).recover(clock.now());
  vitals.recoverModels(id);
  await announce(options, { kind: "account", id });
  return await storage.accounts.get(id);
}

function showEvent(row: AccountEventRow): Static<typeof AccountEventShown> {
  return {
    id: row.id,
    kind: row.kind,
    reason: row.reason,
    cooling: row.cooling,
    model: row.model,
    until: momentOf(row.untilMs),
    status: row.status,
    request_id: row.requestId,
    at: momentOf(row.atMs),
  };
}
