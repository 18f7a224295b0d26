import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Clock, systemClock } from "#kernel/clock.ts";
import type { Log } from "#kernel/log.ts";
import { ThreadJournal, type ThreadJournalOptions } from "#storage/journal/thread-journal.ts";

/** A folder with a journal in it, and everything that is logged about it. Gone with the block that opened it. */
export class JournalFolder implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "sluice-journal-"));
  readonly logged: [event: string, fields: Readonly<Record<string, unknown>>][] = [];
  readonly log: Log;

  constructor() {
    const line = (event: string, fields = {}): void => void this.logged.push([event, fields]);
    this.log = { debug: line, info: line, warn: line, error: line };
  }

  get events(): readonly string[] {
    return this.logged.map(([event]) => event);
  }

  get files(): readonly string[] {
    return readdirSync(this.dir).sort();
  }

  path(file: string | undefined): string {
    return join(this.dir, file ?? "none");
  }

  bytesOf(file: string | undefined): Buffer {
    return readFileSync(this.path(file));
  }

  /** Opens one thread's journal; it takes over whatever is there, unless told otherwise. */
  open(options: Partial<ThreadJournalOptions> & { readonly clock?: Clock } = {}): ThreadJournal {
    return new ThreadJournal({
      dir: this.dir,
      thread: 0,
      adopts: () => true,
      bytesMax: 1_073_741_824,
      isSynced: false,
      clock: systemClock,
      log: this.log,
      ...options,
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Every line that is still to be read, in order. */
export function readAll(journal: ThreadJournal, linesMax = 100): readonly string[] {
  const lines: string[] = [];
  for (let read = journal.next(linesMax); read !== undefined; read = journal.next(linesMax)) {
    lines.push(...read.lines);
  }
  return lines;
}

/** What a disk says that does not take what it is given. */
export function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: the disk says no`), { code });
}
