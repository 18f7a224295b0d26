import type { Options } from "./options.ts";
import type { Table } from "./table.ts";

/** What a benchmark is given. */
export interface BenchRun {
  readonly options: Options;
  /** Says what is going on; not part of the results. */
  readonly say: (line: string) => void;
  /** Shows a result and keeps it. */
  readonly report: (table: Table) => void;
}
