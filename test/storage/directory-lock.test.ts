import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockDirectory } from "#storage/engines/directory-lock.ts";

const MODULE = Bun.resolveSync("#storage/engines/directory-lock.ts", import.meta.dir);

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "sluice-test-"));
});

afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** Starts a process that tries for the lock, says what came of it and then waits to be killed. */
async function contender(name: string): Promise<{ said: string; pid: number; kill(): Promise<void> }> {
  const script = `
    import { lockDirectory } from ${JSON.stringify(MODULE)};
    setInterval(() => undefined, 1000);
    try {
      globalThis.lock = lockDirectory(${JSON.stringify(dir)}, ${JSON.stringify(name)});
      process.stdout.write("locked");
    } catch (cause) {
      process.stdout.write(cause.message);
    }`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
  const { value } = await child.stdout.getReader().read();
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await child.exited;
  };
  return { said: new TextDecoder().decode(value), pid: child.pid, kill };
}

test("of many processes that want a killed one's lock at once, one gets it", async () => {
  const first = await contender("raced");
  expect(first.said).toBe("locked");
  await first.kill();
  const others = await Promise.all(Array.from({ length: 4 }, () => contender("raced")));
  await Promise.all(others.map((other) => other.kill()));
  expect(others.filter(({ said }) => said === "locked").length).toBe(1);
});

test("who is refused is told which process holds the lock", async () => {
  const holder = await contender("told");
  expect(() => lockDirectory(dir, "told")).toThrow(`in use by process ${holder.pid} `);
  await holder.kill();
  lockDirectory(dir, "told").release();
});

test("one process cannot take a lock twice, and trying does not lose it the first", async () => {
  const lock = lockDirectory(dir, "twice");
  expect(() => lockDirectory(dir, "twice")).toThrow(`in use by process ${process.pid} `);
  const other = await contender("twice");
  await other.kill();
  expect(other.said).toStartWith(`The embedded database is in use by process ${process.pid} `);
  lock.release();
  lockDirectory(dir, "twice").release();
});

test("the files are this user's alone, and only the empty lock file outlives the lock", async () => {
  const lock = lockDirectory(dir, "mode");
  for (const name of ["mode.lock", "mode.pid"]) {
    expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
  }
  lock.release();
  expect((await readdir(dir)).filter((name) => name.startsWith("mode"))).toEqual(["mode.lock"]);
});
