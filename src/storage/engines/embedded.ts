import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type DirectoryLock, lockDirectory } from "./directory-lock.ts";
import type { FromEmbedded, ToEmbedded } from "./embedded-messages.ts";

/** A running embedded database. */
export interface EmbeddedDatabase {
  /** Where to connect, for any thread or process of this user. */
  readonly url: string;
  /** Resolves when the database thread has ended, whether asked to or not. Never rejects. */
  readonly exited: Promise<{ readonly isExpected: boolean }>;
  /** Closes the database cleanly and gives its directory up. May be called twice. */
  close(): Promise<void>;
}

const WORKER_URL = new URL("../../../workers/database.ts", import.meta.url);

/** The first start unpacks a whole database cluster: 4 to 7 s on a fast machine. */
const START_MS_MAX = 120_000;

/** A clean close writes a checkpoint; after this it is left to the write-ahead log. */
const CLOSE_MS_MAX = 10_000;

/** Longest path of a unix socket on every system Bun runs on, in bytes. Source: unix(4) of macOS, 104 with the zero. */
const SOCKET_PATH_BYTES_MAX = 103;

/** What libpq calls the socket of a server on the usual port. Source: PostgreSQL documentation, "Connection Strings". */
const SOCKET_NAME = ".s.PGSQL.5432";

/**
 * Starts the embedded database of `dataDir` in a thread of its own and resolves when it takes connections.
 *
 * It listens on a unix socket that only this user can open. Any number of connections from any thread may be
 * used; their statements run one at a time. What was committed survives the death of the process, but PGlite
 * cannot sync files, so it does not survive that of the machine.
 *
 * @throws Error with a sentence for the operator when another process uses the directory or the database
 * does not start.
 */
export async function startEmbedded(dataDir: string, workerUrl: URL = WORKER_URL): Promise<EmbeddedDatabase> {
  const root = resolve(dataDir);
  await mkdir(root, { recursive: true, mode: 0o700 });
  const lock = lockDirectory(root, "postgres");
  const socketDir = await makeSocketDir(root).catch((cause: unknown) => {
    lock.release();
    throw cause;
  });
  const thread = new DatabaseThread(workerUrl);
  const database = embeddedDatabase(thread, socketDir, lock);
  try {
    await thread.open(join(root, "postgres"), join(socketDir, SOCKET_NAME));
    return database;
  } catch (cause) {
    thread.end();
    await database.exited;
    throw cause;
  }
}

function embeddedDatabase(thread: DatabaseThread, socketDir: string, lock: DirectoryLock): EmbeddedDatabase {
  const cleaned = thread.exited.then(async (exit) => {
    // A folder that cannot be removed is emptied at the next start.
    await rm(socketDir, { recursive: true, force: true }).catch(() => undefined);
    lock.release();
    return exit;
  });
  return {
    url: `postgres://postgres@localhost/postgres?host=${encodeURIComponent(socketDir)}`,
    exited: cleaned,
    close: async () => {
      await thread.close();
      await cleaned;
    },
  };
}

/** An empty folder for the socket, open to this user alone. Elsewhere when `root` is too long a path for one. */
async function makeSocketDir(root: string): Promise<string> {
  const beside = join(root, "postgres.socket");
  if (Buffer.byteLength(join(beside, SOCKET_NAME)) > SOCKET_PATH_BYTES_MAX) {
    return await mkdtemp(join(tmpdir(), "sluice-"));
  }
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { mode: 0o700 });
  await chmod(beside, 0o700);
  return beside;
}

/** The worker that holds the database, and what it last said. */
class DatabaseThread {
  readonly exited: Promise<{ readonly isExpected: boolean }>;
  readonly #worker: Worker;
  readonly #opened = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  #isExpected = false;

  constructor(workerUrl: URL) {
    this.#worker = new Worker(workerUrl, { name: "database" });
    const ended = Promise.withResolvers<{ readonly isExpected: boolean }>();
    this.exited = ended.promise;
    this.#worker.onmessage = ({ data }: MessageEvent<FromEmbedded>) => this.#receive(data);
    // Without a listener the error would be dropped silently; its text is what a failed start reports.
    this.#worker.addEventListener("error", ({ message }) => this.#opened.reject(failure(message)));
    this.#worker.addEventListener("close", () => {
      this.#opened.reject(failure("its thread ended"));
      this.#closed.resolve();
      ended.resolve({ isExpected: this.#isExpected });
    });
  }

  async open(databaseDir: string, socketPath: string): Promise<void> {
    this.#post({ kind: "open", databaseDir, socketPath });
    const timer = setTimeout(() => {
      this.#opened.reject(failure(`it was not ready within ${START_MS_MAX / 1000} s`));
    }, START_MS_MAX);
    try {
      await this.#opened.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#isExpected = true;
    this.#post({ kind: "close" });
    const timer = setTimeout(() => this.#closed.resolve(), CLOSE_MS_MAX);
    await this.#closed.promise;
    clearTimeout(timer);
    this.end();
    await this.exited;
  }

  /** Ends the thread as it is. */
  end(): void {
    this.#isExpected = true;
    this.#worker.terminate();
  }

  #post(message: ToEmbedded): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromEmbedded): void {
    if (message.kind === "ready") this.#opened.resolve();
    else if (message.kind === "failed") this.#opened.reject(failure(message.reason));
    else this.#closed.resolve();
  }
}

function failure(reason: string): Error {
  return new Error(`The embedded database did not start: ${reason}`);
}
