import { appendFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type DirectoryLock, lockDirectory } from "#storage/engines/directory-lock.ts";

/** Where a node's usage journal is, within its data folder. */
export function journalDirectory(dataDir: string): string {
  return join(dataDir, "journal");
}

/**
 * Makes the journal's folder (0700) and takes the right to use it alone among processes, which ends with the
 * process. To be called before any thread opens its part.
 *
 * @throws Error naming the process that uses it.
 */
export function lockJournal(dataDir: string): DirectoryLock {
  mkdirSync(journalDirectory(dataDir), { recursive: true, mode: 0o700 });
  return lockDirectory(dataDir, "journal", {
    what: "The usage journal",
    remedy: "or give this one another DATA_DIR",
  });
}

/**
 * Keeps a record that can never be booked, as a line of the file `refused.jsonl` beside the journal's segments,
 * for a person to look at. The same record may be kept more than once.
 *
 * @throws Error of the file system.
 */
export function keepRefused(dataDir: string, line: string): void {
  appendFileSync(join(journalDirectory(dataDir), "refused.jsonl"), `${line}\n`, { mode: 0o600 });
}
