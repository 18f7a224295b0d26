import { chmod, mkdir } from "node:fs/promises";
import { PGlite } from "@electric-sql/pglite";
import type { FromEmbedded, ToEmbedded } from "./embedded-messages.ts";
import { WireServer } from "./wire-server.ts";

/** An open embedded database and the socket it is reached by. */
interface Opened {
  close(): Promise<void>;
}

/**
 * The life of the database thread: opens the database when told where, answers on its socket, closes
 * both when told to. Returns the function that takes the main thread's messages, in order.
 */
export function embeddedThread(post: (message: FromEmbedded) => void): (message: ToEmbedded) => void {
  let opened: Promise<Opened> | undefined;
  return (message) => {
    if (message.kind === "open") {
      opened = open(message.databaseDir, message.socketPath);
      opened.then(
        () => post({ kind: "ready" }),
        (cause: unknown) => post({ kind: "failed", reason: reasonOf(cause) }),
      );
    } else {
      // A database that cannot be closed cleanly is left to its write-ahead log, as after a crash.
      const closing = opened?.then((database) => database.close()) ?? Promise.resolve();
      void closing.catch(() => undefined).then(() => post({ kind: "closed" }));
    }
  };
}

async function open(databaseDir: string, socketPath: string): Promise<Opened> {
  await mkdir(databaseDir, { recursive: true });
  const database = await PGlite.create({ dataDir: databaseDir });
  // PGlite leaves the folder readable to everyone.
  await chmod(databaseDir, 0o700);
  const server = new WireServer({
    run: (messages) => run(database, messages),
    isInTransaction: () => database.isInTransaction(),
  });
  await server.listen(socketPath);
  await chmod(socketPath, 0o600);
  return {
    close: async () => {
      await server.close();
      await database.close();
    },
  };
}

/**
 * Runs messages and gathers the answer, copied piece by piece because each piece is a view of memory
 * that the database writes over. Files are written before it resolves: PGlite's sync step, left out
 * here, only matters to file systems that are kept in memory.
 */
async function run(database: PGlite, messages: Uint8Array): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  await database.execProtocolRawStream(messages, {
    syncToFs: false,
    onRawData: (piece) => pieces.push(Buffer.from(piece)),
  });
  return Buffer.concat(pieces);
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
