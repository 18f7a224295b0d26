import { asc, gt, lt, max, sql } from "drizzle-orm";
import type { Database } from "#storage/engines/postgres.ts";
import { changes } from "#storage/schema/changes.ts";

/** A row that was created, changed or deleted. */
export interface ChangeRow {
  readonly id: number;
  readonly kind: string;
  readonly rowId: number;
}

/** Changes that are read at once at most. */
const READ_MAX = 10_000;

/** What was changed, in order, so that a node which was not told finds out. */
export class ChangeRepository {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Puts a change on record; gives its number. */
  async append(kind: string, rowId: number): Promise<number> {
    const [row] = await this.#db.insert(changes).values({ kind, rowId }).returning({ id: changes.id });
    return row?.id ?? 0;
  }

  /** The number of the latest change; 0 when there is none. */
  async latest(): Promise<number> {
    const [row] = await this.#db.select({ id: max(changes.id) }).from(changes);
    return row?.id ?? 0;
  }

  /** The changes after a number, in order. */
  async after(id: number): Promise<readonly ChangeRow[]> {
    return await this.#db
      .select({ id: changes.id, kind: changes.kind, rowId: changes.rowId })
      .from(changes)
      .where(gt(changes.id, id))
      .orderBy(asc(changes.id))
      .limit(READ_MAX);
  }

  /** Forgets what every node has read long ago, a day. */
  async forget(): Promise<void> {
    await this.#db.delete(changes).where(lt(changes.createdAt, sql`now() - interval '1 day'`));
  }
}
