import { fieldProblem, type Problem } from "#http/problem.ts";
import type { StorageConflict, Written } from "#storage/written.ts";

/** What became of something an admin asked for: its result, or why it was refused. */
export type Outcome<Result> =
  | { readonly ok: true; readonly result: Result }
  | { readonly ok: false; readonly problem: Problem };

/** A result. */
export function done<Result>(result: Result): Outcome<Result> {
  return { ok: true, result };
}

/** A refusal. */
export function refused(problem: Problem): Outcome<never> {
  return { ok: false, problem };
}

/** What became of a change in the database. `noun` is what the row is called in words. */
export function outcomeOf<Row>(written: Written<Row>, noun: string): Outcome<Row> {
  return written.ok ? done(written.row) : refused(conflictProblem(written.conflict, noun));
}

function conflictProblem({ kind, subject }: StorageConflict, noun: string): Problem {
  const path = `/${subject ?? ""}`;
  switch (kind) {
    case "not_found":
      return { kind: "not-found" };
    case "still_referenced":
      return {
        kind: "conflict",
        detail: `The ${noun} is still used by rows of ${subject ?? "another table"}`,
      };
    case "duplicate": {
      const message = `belongs to another ${noun} already`;
      return { kind: "conflict", detail: `${path.slice(1)} ${message}`, errors: [{ path, message }] };
    }
    case "unknown_reference":
      return fieldProblem("unprocessable", path, "names nothing that exists");
  }
}
