import { replayJournal } from "#billing/replay-journal.ts";
import type { Config } from "#config/config.ts";
import { loadOrCreateSecret, prepareDataDir, type StoredSecret } from "#config/secret-files.ts";
import { systemClock } from "#kernel/clock.ts";
import type { FlushableLog, Log } from "#kernel/log.ts";
import { Vault } from "#kernel/vault.ts";
import type { DirectoryLock } from "#storage/engines/directory-lock.ts";
import { startEmbedded } from "#storage/engines/embedded.ts";
import { journalDirectory, keepRefused, lockJournal } from "#storage/journal/journal-directory.ts";
import { ThreadJournal } from "#storage/journal/thread-journal.ts";
import { migrate } from "#storage/migrate.ts";
import { isDataRefused } from "#storage/server-error.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import { Node, type ThreadKind } from "./node.ts";
import { rankThreads } from "./thread-ranks.ts";

/** Longest the start is held up for booking what a killed process has left, in milliseconds. */
const REPLAY_MS_MAX = 30_000;

/** A node's name, in hexadecimal digits. */
const NODE_ID_LENGTH = 16;

/** What {@link startGateway} may do between migrating and serving. */
export interface StartHooks {
  readonly trustedOrigins: readonly string[];
  /** Upstream requests that Bun lets this process run at once. */
  readonly upstreamRequestsMax: number;
  readonly beforeServing: (rooms: { readonly storage: Storage; readonly vault: Vault }) => Promise<void>;
}

/** A gateway that serves. */
export interface RunningGateway {
  readonly url: string;
  readonly adminToken: StoredSecret;
  /** Ends a thread at whatever it is doing; it is replaced like any that dies. */
  terminateThread(kind: ThreadKind, index: number): void;
  /** Drains, books everything and ends every thread. May be called once. */
  stop(): Promise<void>;
}

/**
 * Starts everything a node consists of: secrets, database, migrations, shared memory, ledger, HTTP threads.
 *
 * @throws Error with a sentence for the operator.
 */
export async function startGateway(
  config: Config,
  log: FlushableLog,
  hooks: StartHooks,
): Promise<RunningGateway> {
  prepareDataDir(config.dataDir);
  const adminToken = storedOr(config.adminToken, () =>
    loadOrCreateSecret(config.dataDir, "admin.token", "hex"),
  );
  const encryptionKey = storedOr(config.encryptionKey, () =>
    loadOrCreateSecret(config.dataDir, "encryption.key", "base64"),
  );
  refuseTakenPort(config);
  const embedded = config.databaseUrl === undefined ? await startEmbedded(config.dataDir) : undefined;
  let journalLock: DirectoryLock | undefined;
  try {
    journalLock = lockJournal(config.dataDir);
    if (config.redis !== undefined && encryptionKey.isNew) {
      log.warn("start.own_encryption_key", { reason: "several nodes need the same ENCRYPTION_KEY" });
    }
    const databaseUrl = config.databaseUrl ?? embedded?.url ?? "";
    await migrate(databaseUrl);
    const rows = await prepare({ config, log, databaseUrl }, new Vault(encryptionKey.value), hooks);
    const storage = config.redis === undefined ? undefined : openStorage(databaseUrl, { connectionsMax: 1 });
    const node = new Node({
      nodeId: loadOrCreateSecret(config.dataDir, "node.id", "hex").value.slice(0, NODE_ID_LENGTH),
      storage,
      config,
      log,
      databaseUrl,
      embedded,
      rows,
      adminToken: adminToken.value,
      encryptionKey: encryptionKey.value,
      trustedOrigins: hooks.trustedOrigins,
      upstreamRequestsMax: hooks.upstreamRequestsMax,
    });
    await node.start();
    const unrank = rankThreads();
    return {
      url: node.url,
      adminToken,
      terminateThread: (kind, index) => node.terminateThread(kind, index),
      stop: () => {
        unrank();
        return node.stop().finally(() => journalLock?.release());
      },
    };
  } catch (thrown) {
    journalLock?.release();
    await embedded?.close();
    throw thrown;
  }
}

function storedOr(given: string | undefined, load: () => StoredSecret): StoredSecret {
  return given === undefined ? load() : { value: given, isNew: false };
}

/** Threads share the port, so another process could share it too, unnoticed; asked for alone, it is refused. */
function refuseTakenPort({ host, port }: Config): void {
  if (port === 0) return;
  try {
    Bun.listen({ hostname: host, port, socket: { data: () => undefined } }).stop(true);
  } catch (cause) {
    throw new Error(`Cannot listen on ${host}:${port}: the address is in use or not available`, { cause });
  }
}

interface Ground {
  readonly config: Config;
  readonly log: Log;
  readonly databaseUrl: string;
}

/** Returns how many rows of shared memory everything there is needs: one for slots, turns and money each. */
async function prepare(ground: Ground, vault: Vault, hooks: StartHooks): Promise<number> {
  const storage = openStorage(ground.databaseUrl, { connectionsMax: 1 });
  try {
    await replay(ground, storage);
    await hooks.beforeServing({ storage, vault });
    const { users, accounts, apiKeys, subscriptions } = await storage.snapshot.loadAll();
    return users.length * 2 + accounts.length * 2 + apiKeys.length + subscriptions.length;
  } finally {
    await storage.close();
  }
}

/** No thread writes to the journal yet, so all that is in it was left by processes that are gone. */
async function replay({ config, log }: Ground, storage: Storage): Promise<void> {
  const { dataDir, journalBytesMax } = config;
  const journal = new ThreadJournal({
    dir: journalDirectory(dataDir),
    thread: 0,
    adopts: () => true,
    bytesMax: journalBytesMax,
    isSynced: false,
    clock: systemClock,
    log,
  });
  await replayJournal({
    journal,
    book: (lines) => storage.usage.book(lines),
    isRefusal: isDataRefused,
    keepRefused: (line) => keepRefused(dataDir, line),
    clock: systemClock,
    log,
    limitMs: REPLAY_MS_MAX,
  });
}
