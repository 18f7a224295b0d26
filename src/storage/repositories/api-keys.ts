import { desc, eq, sql } from "drizzle-orm";
import type { ApiKeyId } from "#domain/ids.ts";
import type { Database } from "#storage/engines/postgres.ts";
import { olderThan, type Page, type PageRequest, pageOf, rowsToRead } from "#storage/page.ts";
import { apiKeys } from "#storage/schema/api-keys.ts";
import { deleted, type Written, written } from "#storage/written.ts";

/** An API key as stored: its hash, never the key. Null means not set. */
export type ApiKeyRow = Readonly<typeof apiKeys.$inferSelect>;

type Settable = typeof apiKeys.$inferInsert;
type Kept =
  | "id"
  | "quotaUsedNanos"
  | "revision"
  | "lastUsedAtMs"
  | "createdAtMs"
  | "updatedAtMs"
  | Extract<keyof Settable, `window${string}`>;

/** What may be said about an API key at create; the rest has defaults. */
export type NewApiKey = Readonly<Omit<Settable, Kept>>;

/** What may change about an API key. Absent stays, null clears. Its owner and the key itself never change. */
export type ApiKeyChange = Partial<Omit<NewApiKey, "userId" | "keyHash" | "keyHint">> & {
  readonly quotaUsedNanos?: bigint;
};

const UNSPENT = {
  window5hStartedAtMs: null,
  window5hUsedNanos: 0n,
  window1dStartedAtMs: null,
  window1dUsedNanos: 0n,
  window7dStartedAtMs: null,
  window7dUsedNanos: 0n,
};

/** The keys that clients call with. */
export class ApiKeyRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Adds a key. Conflicts `duplicate` (hash) and `unknown_reference` (user or group). */
  create(apiKey: NewApiKey): Promise<Written<ApiKeyRow>> {
    return written(async () => (await this.#db.insert(apiKeys).values(apiKey).returning())[0]);
  }

  /** The key with this id. */
  async get(id: ApiKeyId): Promise<ApiKeyRow | undefined> {
    return (await this.#db.select().from(apiKeys).where(eq(apiKeys.id, id)))[0];
  }

  /** Keys, newest first. */
  async list(page: PageRequest): Promise<Page<ApiKeyRow>> {
    const rows = await this.#db
      .select()
      .from(apiKeys)
      .where(olderThan(apiKeys.id, page))
      .orderBy(desc(apiKeys.id))
      .limit(rowsToRead(page));
    return pageOf(rows, page);
  }

  /** Changes a key. Conflicts `not_found` and `unknown_reference`. */
  update(id: ApiKeyId, change: ApiKeyChange): Promise<Written<ApiKeyRow>> {
    return this.#change(id, change);
  }

  /** Lets every window of a key begin anew with its next cost. Conflict `not_found`. */
  resetWindows(id: ApiKeyId): Promise<Written<ApiKeyRow>> {
    return this.#change(id, UNSPENT);
  }

  /** Removes a key for good; what it used stays on record. Conflict `not_found`. */
  delete(id: ApiKeyId): Promise<Written<ApiKeyRow>> {
    return deleted(async () => (await this.#db.delete(apiKeys).where(eq(apiKeys.id, id)).returning())[0]);
  }

  #change(id: ApiKeyId, change: Partial<Settable>): Promise<Written<ApiKeyRow>> {
    const changed = { ...change, revision: sql`${apiKeys.revision} + 1`, updatedAtMs: sql`now()` };
    return written(
      async () => (await this.#db.update(apiKeys).set(changed).where(eq(apiKeys.id, id)).returning())[0],
    );
  }
}
