import { Database } from "bun:sqlite";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The right to use a directory alone, among processes and within this one. */
export interface DirectoryLock {
  /** Gives the directory up. */
  release(): void;
}

/** What a directory is locked for, in words for whoever is refused. */
export interface LockPurpose {
  readonly what: string;
  /** What can be done besides stopping the other process. */
  readonly remedy: string;
}

const EMBEDDED: LockPurpose = {
  what: "The embedded database",
  remedy: "give this one another DATA_DIR, or set DATABASE_URL to share a PostgreSQL server",
};

/** What SQLite reports when another connection holds the lock. Source: sqlite.org/rescode.html#busy. */
const BUSY = "SQLITE_BUSY";

/**
 * Takes the lock `<name>.lock` in `dir`, and notes this process's id in `<name>.pid` for whoever is refused.
 *
 * The lock is an exclusive transaction on an empty SQLite file, because that is the operating system's own
 * file lock in a form that Bun offers: it ends with its process however that dies, so there is nothing
 * stale to take over and no process id to be mistaken for another's, not even between containers that
 * share the directory. The empty file stays behind; removing it would let two processes lock two files.
 *
 * @throws Error naming the process that holds the lock.
 */
export function lockDirectory(dir: string, name: string, purpose: LockPurpose = EMBEDDED): DirectoryLock {
  const pidPath = join(dir, `${name}.pid`);
  const database = openLocked(join(dir, `${name}.lock`), pidPath, purpose);
  writeFileSync(pidPath, `${process.pid}\n`, { mode: 0o600 });
  return {
    release: () => {
      rmSync(pidPath, { force: true });
      database.close();
    },
  };
}

function openLocked(path: string, pidPath: string, { what, remedy }: LockPurpose): Database {
  const database = new Database(path, { create: true, readwrite: true });
  try {
    chmodSync(path, 0o600);
    database.run("begin exclusive");
    return database;
  } catch (cause) {
    database.close();
    if (!(cause instanceof Error && "code" in cause && cause.code === BUSY)) throw cause;
    throw new Error(
      `${what} is in use by ${holderIn(pidPath)} (lock file ${path}). Stop that process, ${remedy}.`,
      { cause },
    );
  }
}

function holderIn(pidPath: string): string {
  try {
    return `process ${readFileSync(pidPath, "utf8").trim()}`;
  } catch {
    // Locked an instant ago and not yet noted.
    return "another process";
  }
}
