import { type ServerError, serverErrorOf } from "./server-error.ts";

/** SQLSTATEs of class 23. Source: PostgreSQL documentation, "Error Codes". */
const UNIQUE_VIOLATION = "23505";
const FOREIGN_KEY_VIOLATION = "23503";

/** Why the database kept things as they were. */
export interface StorageConflict {
  /**
   * `duplicate` another row has this value; `unknown_reference` the row it points to does not exist;
   * `still_referenced` other rows point to it; `not_found` there is no such row.
   */
  readonly kind: "duplicate" | "unknown_reference" | "still_referenced" | "not_found";
  /** The column at fault, or for `still_referenced` the table that points here. */
  readonly subject?: string;
}

/** What became of a change: the row as it is now, or why nothing happened. */
export type Written<Row> =
  | { readonly ok: true; readonly row: Row }
  | { readonly ok: false; readonly conflict: StorageConflict };

/**
 * Runs a change and turns constraint violations and missing rows into values.
 *
 * `change` gives the row it wrote, or undefined when there was none to write. Every other error is thrown on.
 */
export function written<Row>(change: () => Promise<Row | undefined>): Promise<Written<Row>> {
  return outcomeOf(change, ({ detail }) => withSubject("unknown_reference", columnIn(detail)));
}

/** Like {@link written} for a deletion, where a foreign key means that other rows still point here. */
export function deleted<Row>(change: () => Promise<Row | undefined>): Promise<Written<Row>> {
  return outcomeOf(change, ({ table_name }) => withSubject("still_referenced", table_name));
}

async function outcomeOf<Row>(
  change: () => Promise<Row | undefined>,
  onForeignKey: (error: ServerError) => StorageConflict,
): Promise<Written<Row>> {
  try {
    const row = await change();
    return row === undefined ? { ok: false, conflict: { kind: "not_found" } } : { ok: true, row };
  } catch (thrown) {
    const error = serverErrorOf(thrown);
    if (error?.code === UNIQUE_VIOLATION) {
      return { ok: false, conflict: withSubject("duplicate", columnIn(error.detail)) };
    }
    if (error?.code === FOREIGN_KEY_VIOLATION) return { ok: false, conflict: onForeignKey(error) };
    throw thrown;
  }
}

function withSubject(kind: StorageConflict["kind"], subject: string | undefined): StorageConflict {
  return subject === undefined ? { kind } : { kind, subject };
}

/** The server writes `(column)=(value)` into the detail, whatever language the words around it are in. */
function columnIn(detail: string | undefined): string | undefined {
  return /\((\w+)\)=/.exec(detail ?? "")?.[1];
}
