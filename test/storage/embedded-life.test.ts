import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbedded } from "#storage/engines/embedded.ts";
import { migrate } from "#storage/migrate.ts";
import { openStorage } from "#storage/storage.ts";

const START_MS_MAX = 60_000;
const ROWS_BEFORE_DEATH = 100;

/** Everything these tests write. */
let root: string;
/** The database that has rows; opening an existing one is much faster than making one. */
let dataDir: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "sluice-test-"));
  dataDir = join(root, "data");
});

afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

/** Reads the lines a process writes until there are enough. Leaves the pipe open, so that it goes on writing. */
async function readLines(stdout: ReadableStream<Uint8Array>, count: number): Promise<string[]> {
  const reader = stdout.getReader();
  const decoder = new TextDecoder();
  let text = "";
  while (text.split("\n").length <= count) {
    const { value, done } = await reader.read();
    if (done) break;
    text += decoder.decode(value, { stream: true });
  }
  return text.split("\n").slice(0, -1);
}

test(
  "a folder in use is refused, and a killed process loses nothing it acknowledged",
  async () => {
    const script = join(import.meta.dir, "embedded-writer.ts");
    const writer = Bun.spawn([process.execPath, script, dataDir], { stdout: "pipe", stderr: "inherit" });
    const acknowledged = await readLines(writer.stdout, ROWS_BEFORE_DEATH);
    await expect(startEmbedded(dataDir)).rejects.toThrow(`in use by process ${writer.pid} `);
    writer.kill("SIGKILL");
    await writer.exited;

    const database = await startEmbedded(dataDir);
    await migrate(database.url);
    const storage = openStorage(database.url, { connectionsMax: 1 });
    const { users } = await storage.snapshot.loadAll();
    await storage.close();
    await database.close();
    const stored = new Set(users.map(({ id }) => `${id}`));
    expect(acknowledged.length).toBeGreaterThanOrEqual(ROWS_BEFORE_DEATH);
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
  },
  START_MS_MAX,
);

test(
  "the same process cannot open a folder twice, and can after it has closed it",
  async () => {
    const database = await startEmbedded(dataDir);
    await expect(startEmbedded(dataDir)).rejects.toThrow(`in use by process ${process.pid} `);
    await Promise.all([database.close(), database.close()]);
    expect(await database.exited).toEqual({ isExpected: true });
    await (await startEmbedded(dataDir)).close();
  },
  START_MS_MAX,
);

test(
  "only this user can reach the database, and a clean close leaves nothing but the data",
  async () => {
    const database = await startEmbedded(dataDir);
    const mode = async (name: string) => (await stat(join(dataDir, name))).mode & 0o777;
    expect(await mode("postgres.socket")).toBe(0o700);
    expect(await mode("postgres.socket/.s.PGSQL.5432")).toBe(0o600);
    expect(await mode("postgres")).toBe(0o700);
    expect(await mode("postgres.lock")).toBe(0o600);
    await database.close();
    expect((await readdir(dataDir)).sort()).toEqual(["postgres", "postgres.lock"]);
  },
  START_MS_MAX,
);

test(
  "a folder with a path too long for a socket works as well",
  async () => {
    const long = join(root, "x".repeat(120));
    const database = await startEmbedded(long);
    await migrate(database.url);
    await database.close();
    expect((await readdir(long)).sort()).toEqual(["postgres", "postgres.lock"]);
  },
  START_MS_MAX,
);

test(
  "a database that cannot start says so and gives the folder up",
  async () => {
    const broken = join(root, "broken");
    await Bun.write(join(broken, "postgres"), "not a folder");
    await expect(startEmbedded(broken)).rejects.toThrow("The embedded database did not start: ");
    expect((await readdir(broken)).sort()).toEqual(["postgres", "postgres.lock"]);
  },
  START_MS_MAX,
);

test(
  "a thread that dies is noticed",
  async () => {
    const dying = new URL("dying-worker.ts", import.meta.url);
    await expect(startEmbedded(join(root, "dying"), dying)).rejects.toThrow(
      "The embedded database did not start: ",
    );
  },
  START_MS_MAX,
);
