import { desc, eq, getTableColumns, sql } from "drizzle-orm";
import type { AccountId, GroupId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { accountGroups, accounts } from "#storage/schema/accounts.ts";
import { deleted, type Written, written } from "#storage/written.ts";

/** An account as stored, with the groups it serves. The credential is sealed. Null means not set. */
export type AccountRow = Readonly<typeof accounts.$inferSelect> & { readonly groupIds: readonly GroupId[] };

/** What may be said about an account at create; what it rests for, its events say. Its id comes first, from {@link AccountRepository.nextId}. */
export type NewAccount = Readonly<
  Omit<typeof accounts.$inferInsert, "coolingUntilMs" | "coolingReason" | "createdAtMs" | "updatedAtMs">
> & {
  readonly id: AccountId;
  readonly groupIds: readonly GroupId[];
};

/** What may change about an account. Absent stays, null clears; `groupIds` replaces all of them. */
export type AccountChange = Partial<Omit<NewAccount, "id">>;

/** The builder, inside a transaction or outside of one. */
type Writer = Pick<Database, "select" | "insert" | "update" | "delete">;

/** An account's columns and, in ascending order, the ids of its groups, so that one query reads both. */
export const ACCOUNT_WITH_GROUPS = {
  ...getTableColumns(accounts),
  groupIds: sql<readonly GroupId[]>`coalesce((
    select json_agg(member.group_id order by member.group_id)
    from ${accountGroups} member
    where member.account_id = ${accounts}.id
  ), '[]')`,
};

/** The upstream credentials that requests are sent with. */
export class AccountRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Reserves the id of an account to be created, because its sealed credential is bound to it. Gaps are fine. */
  async nextId(): Promise<AccountId> {
    const [row] = await this.#db.execute<{ id: string }>(
      sql`select nextval(pg_get_serial_sequence('accounts', 'id')) as id`,
    );
    return Number(row?.id) as AccountId;
  }

  /** Adds an account to its groups. Conflicts `duplicate` (id) and `unknown_reference` (a group). */
  create({ groupIds, ...account }: NewAccount): Promise<Written<AccountRow>> {
    return written(() =>
      this.#db.transaction(async (transaction) => {
        await transaction.insert(accounts).values(account);
        await putInGroups(transaction, account.id, groupIds);
        return await readAccount(transaction, account.id);
      }),
    );
  }

  /** The account with this id. */
  get(id: AccountId): Promise<AccountRow | undefined> {
    return readAccount(this.#db, id);
  }

  /** Accounts, newest first. */
  async list(page: PageRequest): Promise<Page<AccountRow>> {
    const rows = await this.#db
      .select(ACCOUNT_WITH_GROUPS)
      .from(accounts)
      .where(olderThan(accounts.id, page))
      .orderBy(desc(accounts.id))
      .limit(rowsToRead(page));
    return pageOf(rows, page);
  }

  /** Those of the ids that no account has. */
  async missing(ids: readonly AccountId[]): Promise<ReadonlySet<AccountId>> {
    // One value, because a statement takes no more than 65,535 of them.
    const asked = sql`select value::bigint from json_array_elements_text(${JSON.stringify(ids)}::json)`;
    const known = await this.#db
      .select({ id: accounts.id })
      .from(accounts)
      .where(sql`${accounts.id} in (${asked})`);
    const missing = new Set(ids);
    for (const { id } of known) missing.delete(id);
    return missing;
  }

  /** Changes an account and, when given, its groups, both or neither. Conflicts `not_found`, `unknown_reference`. */
  update(id: AccountId, { groupIds, ...change }: AccountChange): Promise<Written<AccountRow>> {
    return written(() =>
      this.#db.transaction(async (transaction) => {
        const changed = { ...change, updatedAtMs: sql`now()` };
        const [row] = await transaction.update(accounts).set(changed).where(eq(accounts.id, id)).returning();
        if (row === undefined) return undefined;
        if (groupIds !== undefined) {
          await transaction.delete(accountGroups).where(eq(accountGroups.accountId, id));
          await putInGroups(transaction, id, groupIds);
        }
        return await readAccount(transaction, id);
      }),
    );
  }

  /** Removes an account for good, from its groups too; what it served stays on record. Conflict `not_found`. */
  delete(id: AccountId): Promise<Written<AccountRow>> {
    return deleted(() =>
      this.#db.transaction(async (transaction) => {
        const row = await readAccount(transaction, id);
        await transaction.delete(accounts).where(eq(accounts.id, id));
        return row;
      }),
    );
  }
}

async function readAccount(db: Writer, id: AccountId): Promise<AccountRow | undefined> {
  return (await db.select(ACCOUNT_WITH_GROUPS).from(accounts).where(eq(accounts.id, id)))[0];
}

async function putInGroups(db: Writer, accountId: AccountId, groupIds: readonly GroupId[]): Promise<void> {
  const members = [...new Set(groupIds)].map((groupId) => ({ accountId, groupId }));
  if (members.length > 0) await db.insert(accountGroups).values(members);
}
