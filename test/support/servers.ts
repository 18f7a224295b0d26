import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { startEmbedded } from "#storage/engines/embedded.ts";

/** Something started for a test, and how to get rid of it. */
export interface TestServer {
  readonly url: string;
  close(): Promise<void>;
}

const START_MS_MAX = 30_000;
const STOP_MS_MAX = 10_000;

/** A fresh, empty database on the server that `TEST_DATABASE_URL` names, dropped at close. */
export async function freshPostgresDatabase(): Promise<TestServer> {
  const serverUrl = process.env["TEST_DATABASE_URL"];
  if (serverUrl === undefined) throw new Error("TEST_DATABASE_URL is not set");
  const name = `test_${Bun.randomUUIDv7().replaceAll("-", "")}`;
  await runSql(serverUrl, `create database ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return { url: url.href, close: () => runSql(serverUrl, `drop database if exists ${name} with (force)`) };
}

/** A fresh, empty embedded database, deleted at close. Takes seconds: one per test file. */
export async function freshEmbeddedDatabase(): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "sluice-test-"));
  const { url, close } = await startEmbedded(dataDir);
  return {
    url,
    close: async () => {
      await close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Starts a PostgreSQL of its own in `dir`; undefined when none is installed. Not durable, for tests only. */
export async function startPostgres(dir: string): Promise<TestServer | undefined> {
  const bin = await postgresBinaries();
  if (bin === undefined) return undefined;
  const asUser = await unprivileged(dir);
  const data = join(dir, "data");
  const initdb = [
    join(bin, "initdb"),
    "-D",
    data,
    "-U",
    "postgres",
    "-A",
    "trust",
    "-E",
    "UTF8",
    "--no-sync",
  ];
  const init = Bun.spawn([...asUser, ...initdb], { cwd: dir, stdout: "ignore", stderr: "pipe" });
  if ((await init.exited) !== 0) throw new Error(`initdb failed: ${await new Response(init.stderr).text()}`);
  const port = await freePort();
  const settings = { listen_addresses: "127.0.0.1", unix_socket_directories: "", fsync: "off" };
  const options = Object.entries({ ...settings, synchronous_commit: "off", max_connections: "200" });
  return await serve({
    command: [
      ...asUser,
      join(bin, "postgres"),
      ...["-D", data, "-p", `${port}`],
      ...options.flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    dir,
    // PostgreSQL's fast shutdown: open connections are cut instead of waited for.
    stopSignal: "SIGINT",
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    isReady: (url) =>
      runSql(url, "select 1").then(
        () => true,
        () => false,
      ),
  });
}

/** Starts a Redis of its own in `dir`; undefined when none is installed. Nothing is saved. */
export async function startRedis(dir: string, ownPort?: number): Promise<TestServer | undefined> {
  const binary = Bun.which("redis-server") ?? Bun.which("valkey-server");
  if (binary === null) return undefined;
  const port = ownPort ?? (await freePort());
  const options = { port: `${port}`, bind: "127.0.0.1", dir, save: "", appendonly: "no" };
  return await serve({
    command: [binary, ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])],
    dir,
    stopSignal: "SIGTERM",
    url: `redis://127.0.0.1:${port}`,
    isReady: () => accepts(port),
  });
}

interface ServerProcess {
  readonly command: readonly string[];
  readonly dir: string;
  readonly stopSignal: NodeJS.Signals;
  readonly url: string;
  isReady(url: string): Promise<boolean>;
}

async function serve({ command, dir, stopSignal, url, isReady }: ServerProcess): Promise<TestServer> {
  const log = Bun.file(join(dir, "server.log"));
  // A process group of its own, so that Ctrl-C reaches the checker alone and it stops the server last.
  const child = Bun.spawn([...command], {
    cwd: dir,
    stdin: "ignore",
    stdout: log,
    stderr: log,
    detached: true,
  });
  const close = async (): Promise<void> => {
    child.kill(stopSignal);
    const killer = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
    await child.exited;
    clearTimeout(killer);
  };
  const deadlineMs = performance.now() + START_MS_MAX;
  while (child.exitCode === null && performance.now() < deadlineMs) {
    if (await isReady(url)) return { url, close };
    await Bun.sleep(50);
  }
  await close();
  throw new Error(`${command.join(" ")} did not start: ${await log.text()}`);
}

async function postgresBinaries(): Promise<string | undefined> {
  const onPath = Bun.which("initdb");
  if (onPath !== null && Bun.which("postgres") !== null) return join(onPath, "..");
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? await readdir(debian) : [];
  return versions
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(debian, version, "bin"))
    .find((bin) => existsSync(join(bin, "initdb")) && existsSync(join(bin, "postgres")));
}

/** PostgreSQL refuses to run as root, so root hands the folder to the account that its package made. */
async function unprivileged(dir: string): Promise<readonly string[]> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (process.getuid?.() !== 0) return [];
  await chmod(dir, 0o700);
  const chown = Bun.spawn(["chown", "postgres", dir], { stderr: "pipe" });
  if ((await chown.exited) !== 0) {
    throw new Error(
      "PostgreSQL does not run as root and there is no user `postgres`; run this as another user.",
    );
  }
  return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
}

async function runSql(url: string, statement: string): Promise<void> {
  const client = postgres(url, { max: 1, connect_timeout: 5, onnotice: () => undefined });
  try {
    await client.unsafe(statement);
  } finally {
    await client.end({ timeout: 5 });
  }
}

/** A port that nothing listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port was assigned");
  return address.port;
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => socket.destroy());
    socket.once("connect", () => socket.end());
  });
}
